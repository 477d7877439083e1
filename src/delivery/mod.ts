/** The delivery plane: consumes deliveries from DLV-k, attempts them and settles the results. */
import type { JetStreamClient, JetStreamManager } from '@nats-io/jetstream';
import type { KV } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/nats-core';
import type { Registry } from 'prom-client';
import type { Clock } from '#domain/clock.ts';
import type { Service } from '#infra/service.ts';
import type { DeliverySettings } from '#config/sections.ts';
import { type RetryPolicy, defaultRetryPolicy } from '#domain/outcome/verdict.ts';
import type { SecretBox } from '#infra/crypto/secret-box.ts';
import { AckFence } from '#infra/nats/consume/ack-fence.ts';
import type { LaneStore } from '#infra/nats/stores/lane-store.ts';
import type { Publisher } from '#infra/nats/publish/publisher.ts';
import type { RecordBatcher } from '#infra/nats/publish/record-batcher.ts';
import type { PayloadStore } from '#infra/payload-store.ts';
import type { TenantLives } from '#infra/tenant-lives.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { Tracing } from '#infra/telemetry/tracing.ts';
import type { ConfigView, EndpointSnapshot } from '#wire/config-snapshot.ts';
import type { PayloadLinks } from '#wire/webhook/payload-link.ts';
import { shardOf } from '#wire/subjects.ts';
import { ActivationTable } from './actors/activation-table.ts';
import { DeliveryMetrics } from './delivery-metrics.ts';
import { EventFetcher } from './intake/event-fetcher.ts';
import { HeldDeliveryReleaser } from './settlement/held-delivery-releaser.ts';
import { createLaneController } from './lanes/create-lane-controller.ts';
import type { LaneRules } from './lanes/lane-rules.ts';
import { createOrderedQueues } from './ordered/create-ordered-queues.ts';
import { createOutbound } from './outbound/create-outbound.ts';
import { Payloads } from './attempt/payloads.ts';
import { Settler } from './settlement/settle.ts';
import type { LeaseRenewer } from '#infra/nats/leases/lease-renewals.ts';
import { ShardLeases } from '#infra/nats/leases/shard-leases.ts';
import { ShardConsumers } from './intake/shard-consumers.ts';
import { shardLifecycle } from './intake/shard-lifecycle.ts';
import { createDeliveryHandler } from './intake/delivery-handler.ts';
import { TurnScheduler } from './scheduling/turn-scheduler.ts';

export interface DeliveryDeps {
  settings: DeliverySettings;
  nc: NatsConnection;
  js: JetStreamClient;
  jsm: JetStreamManager;
  config: ConfigView;
  lives: TenantLives;
  /** Fetches a tenant's configuration unless it was fetched after `sinceMs` (monotonic). */
  refreshTenant: (tenant: string, sinceMs: number) => Promise<void>;
  publisher: Publisher;
  records: RecordBatcher;
  secretBox: SecretBox;
  payloads: PayloadStore;
  payloadLinks: PayloadLinks;
  registry: Registry;
  /** The bucket LEASES. */
  leases: KV;
  /** Renews leases while the event loop is busy. */
  renewer: LeaseRenewer;
  /** The bucket ORDERED. */
  ordered: KV;
  clock: Clock;
  /** The brokers' clock, which the schedules use; milliseconds since 1970. */
  brokerNow: () => number;
  lanes: LaneStore;
  laneRules?: LaneRules;
  /** Undefined: no spans. */
  tracing?: Tracing | undefined;
  log: Log;
  /** Name of this worker in attempt records and leases: letters, digits, - and _. */
  worker: string;
  retryPolicy?: RetryPolicy;
}

/** Creates the delivery plane of a process as a service. */
export function createDelivery(deps: DeliveryDeps): Service {
  const { settings, log, publisher, records } = deps;
  const { timeoutMs, shards } = settings;
  const scheduler = new TurnScheduler(settings.inFlightMax);
  const fence = new AckFence(deps);
  const gone = new WeakSet<EndpointSnapshot>();
  const settler = new Settler({ publisher, records, lanes: deps.lanes, log, now: deps.brokerNow });
  const metrics = new DeliveryMetrics(deps.registry, {
    activations: () => table.size,
    mailbox: () => table.mailboxLength,
    inFlight: () => scheduler.inFlight,
    open: () => table.openCircuits,
    queues: () => queues.size,
    blocked: () => queues.blocked,
  });
  const outbound = createOutbound({ settings, metrics, clock: deps.clock, log });
  const { guard, probeReceiver, senders, tokens, localFaults } = outbound;
  const table = new ActivationTable({
    config: deps.config,
    scheduler,
    clock: deps.clock,
    log,
    endpoint: {
      ...deps,
      settler,
      senders,
      tokens,
      events: new EventFetcher({ jsm: deps.jsm, shards }),
      payloads: payloadsOf(deps),
      targets: {
        openSecret: (sealed, context) => deps.secretBox.open(sealed, context),
        isAllowedPrivate: (address) => guard.isAllowedPrivate(address),
        isProbeReceiver: (tenant, url) => probeReceiver.isAt(tenant, url),
      },
      retryPolicy: deps.retryPolicy ?? defaultRetryPolicy,
      metrics,
      localFaults,
      gone,
      mayWork: (tenant) => leases.owns(shardOf(tenant, shards)),
      inFlightMax: settings.endpointInFlightMax,
      timeoutMs,
      random: Math.random,
    },
  });
  // Shorter than the process's shutdown deadline, so that the leases can be released in time.
  const drainMs = settings.shutdownDeadlineMs * 0.8;
  const onMessage = createDeliveryHandler({ settler, table, fence, clock: deps.clock, log });
  const owns = (shard: number): boolean => leases.owns(shard);
  const lanes = createLaneController({
    ...deps,
    shards,
    ackWaitMs: timeoutMs + 30_000,
    onMessage,
    owns,
    takeLoads: (take) => table.takeLoads(take),
  });
  const work = { table, settler, lanes, fence, onMessage, owns };
  const shardConsumers = new ShardConsumers({ ...deps, ...work, shards, drainMs });
  const queues = createOrderedQueues({ ...deps, shards, dispatch: (one) => table.deliver(one) });
  const leases = new ShardLeases({
    kv: deps.leases,
    renewer: deps.renewer,
    jsm: deps.jsm,
    kind: 'delivery',
    me: deps.worker,
    shards,
    clock: deps.clock,
    ...shardLifecycle(shardConsumers, queues, drainMs),
    log,
  });
  const releaser = new HeldDeliveryReleaser({ ...deps, gone, shards, owns });

  return {
    name: 'delivery',
    async start() {
      table.start();
      await leases.start();
      lanes.start();
      releaser.start();
    },
    async stop() {
      await releaser.stop();
      lanes.stop();
      await leases.stop();
      table.stop();
      senders.close();
    },
  };
}

function payloadsOf({ settings, payloads, payloadLinks, clock }: DeliveryDeps): Payloads {
  return new Payloads({
    store: payloads,
    links: payloadLinks,
    publicUrl: settings.publicUrl,
    linkMs: settings.payloadLinkMs,
    retentionMs: settings.eventRetentionMs,
    memoryBytesMax: settings.payloadMemoryBytesMax,
    now: clock.wallMs,
  });
}
