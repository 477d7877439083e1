/** The delivery plane: consumes deliveries from DLV-k, attempts them and settles the results. */
import type { JetStreamClient, JetStreamManager, JsMsg } from '@nats-io/jetstream';
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
import { createLaneBroker } from './lanes/lane-broker.ts';
import { LaneController } from './lanes/lane-controller.ts';
import { LaneMetrics } from './lanes/lane-metrics.ts';
import { LANE_RULES, type LaneRules } from './lanes/lane-rules.ts';
import { HeadEndpoints } from './ordered/head-endpoints.ts';
import { OrderedQueues } from './ordered/ordered-queues.ts';
import { createPollQueues } from './poll/create-poll-queues.ts';
import { NatsQueueStore } from './ordered/queue-store.ts';
import { createOutbound, type Outbound } from './outbound/create-outbound.ts';
import { EndpointRequests } from './requests/endpoint-requests.ts';
import type { TargetDeps } from './attempt/endpoint-target.ts';
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
  const { settings, nc, js, jsm, publisher, records, brokerNow, worker, clock, log } = deps;
  const { shards } = settings;
  const leases = new ShardLeases({
    kv: deps.leases,
    renewer: deps.renewer,
    jsm,
    kind: 'delivery',
    me: worker,
    shards,
    clock,
    log,
  });
  const owns = (shard: number): boolean => leases.owns(shard);
  const gone = new WeakSet<EndpointSnapshot>();
  const scheduler = new TurnScheduler(settings.inFlightMax);
  const settler = new Settler({ publisher, records, lanes: deps.lanes, log, now: brokerNow });
  const metrics = new DeliveryMetrics(deps.registry);
  const outbound = createOutbound({ settings, metrics, clock, log });
  const { senders } = outbound;
  const parts = { scheduler, settler, metrics, outbound, gone, owns };
  const sources: EventSources = {
    events: new EventFetcher({ jsm, shards }),
    payloads: payloadsOf(deps),
  };
  const table = createTable(deps, parts, sources);
  const fence = new AckFence({ jsm, clock });
  const onMessage = createDeliveryHandler({ settler, table, fence, clock, log });
  const lanes = createLanes(deps, table, onMessage, owns);
  const queues = createQueues(deps, table);
  const polls = createPollQueues(deps, { settler, owns, ...sources });
  metrics.watch({
    activations: () => table.size,
    mailbox: () => table.mailboxLength,
    inFlight: () => scheduler.inFlight,
    open: () => table.openCircuits,
    queues: () => queues.size,
    blocked: () => queues.blocked,
  });
  // Shorter than the process's shutdown deadline, so that the leases can be released in time.
  const drainMs = settings.shutdownDeadlineMs * 0.8;
  const shardConsumers = new ShardConsumers({
    nc,
    js,
    jsm,
    shards,
    table,
    settler,
    lanes,
    records,
    fence,
    onMessage,
    owns,
    drainMs,
    clock,
    log,
  });
  const releaser = createReleaser(deps, gone, owns);
  const requests = createRequests(deps, outbound);
  return {
    name: 'delivery',
    async start() {
      table.start();
      await leases.start(shardLifecycle(shardConsumers, [queues, polls], drainMs));
      lanes.start();
      releaser.start();
      requests.start();
    },
    async stop() {
      requests.stop();
      await releaser.stop();
      lanes.stop();
      await leases.stop();
      table.stop();
      senders.close();
    },
  };
}

interface TableParts {
  scheduler: TurnScheduler;
  settler: Settler;
  metrics: DeliveryMetrics;
  outbound: Outbound;
  gone: WeakSet<EndpointSnapshot>;
  owns: (shard: number) => boolean;
}

/** Where events come from that deliveries do not contain. */
interface EventSources {
  events: EventFetcher;
  payloads: Payloads;
}

/** The actors of the worker, and what each endpoint's actor uses. */
function createTable(
  deps: DeliveryDeps,
  { scheduler, settler, metrics, outbound, gone, owns }: TableParts,
  { events, payloads }: EventSources,
): ActivationTable {
  const { settings, config, lives, refreshTenant, worker, clock, tracing, log } = deps;
  const { shards, timeoutMs } = settings;
  const { senders, tokens, localFaults } = outbound;
  return new ActivationTable({
    config,
    scheduler,
    clock,
    log,
    endpoint: {
      settler,
      senders,
      tokens,
      targets: targetsOf(deps, outbound),
      events,
      payloads,
      metrics,
      localFaults,
      lives,
      refreshTenant,
      gone,
      isOwner: (tenant) => owns(shardOf(tenant, shards)),
      worker,
      retryPolicy: deps.retryPolicy ?? defaultRetryPolicy,
      inFlightMax: settings.endpointInFlightMax,
      timeoutMs,
      random: Math.random,
      clock,
      tracing,
      log,
    },
  });
}

function createRequests(deps: DeliveryDeps, outbound: Outbound): EndpointRequests {
  const { settings, nc, config, refreshTenant, worker, clock, log } = deps;
  const { senders, tokens } = outbound;
  const { timeoutMs } = settings;
  const targets = targetsOf(deps, outbound);
  const sending = { senders, tokens, targets };
  return new EndpointRequests({
    ...sending,
    nc,
    config,
    refreshTenant,
    timeoutMs,
    worker,
    clock,
    log,
  });
}

function createReleaser(
  deps: DeliveryDeps,
  gone: WeakSet<EndpointSnapshot>,
  owns: (shard: number) => boolean,
): HeldDeliveryReleaser {
  const { settings, jsm, config, lives, refreshTenant, publisher, records, clock, log } = deps;
  const { shards } = settings;
  return new HeldDeliveryReleaser({
    jsm,
    shards,
    owns,
    config,
    lives,
    refreshTenant,
    gone,
    publisher,
    records,
    clock,
    log,
  });
}

/** The lanes of the worker, on NATS. */
function createLanes(
  { settings, nc, js, jsm, lanes, laneRules, registry, clock, log }: DeliveryDeps,
  table: ActivationTable,
  onMessage: (message: JsMsg) => void,
  owns: (shard: number) => boolean,
): LaneController {
  const { shards, timeoutMs } = settings;
  const ackWaitMs = timeoutMs + 30_000;
  const broker = { nc, js, jsm, lanes, shards, ackWaitMs, onMessage, owns, clock, log };
  return new LaneController({
    shards,
    broker: (shard) => createLaneBroker({ ...broker, shard }),
    rules: laneRules ?? LANE_RULES,
    metrics: new LaneMetrics(registry),
    owns,
    takeLoads: (take) => table.takeLoads(take),
    clock,
    log,
  });
}

/** The queues of ordered endpoints, on NATS and the configuration (DL-16). */
function createQueues(
  { settings, nc, jsm, config, ordered, brokerNow, clock, log }: DeliveryDeps,
  table: ActivationTable,
): OrderedQueues {
  const endpoints = new HeadEndpoints(config);
  return new OrderedQueues({
    nc,
    store: new NatsQueueStore({ jsm, ordered, shards: settings.shards }),
    dispatch: (delivery) => table.deliver(delivery),
    endpoint: (tenant, id) => endpoints.get(tenant, id),
    now: brokerNow,
    clock,
    log,
  });
}

function targetsOf({ secretBox }: DeliveryDeps, { guard, probeReceiver }: Outbound): TargetDeps {
  return {
    openSecret: (sealed, context) => secretBox.open(sealed, context),
    isAllowedPrivate: (address) => guard.isAllowedPrivate(address),
    isProbeReceiver: (tenant, url) => probeReceiver.isAt(tenant, url),
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
