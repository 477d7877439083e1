/** The router plane: consumes events, publishes one delivery for each matching endpoint. */
import type { JetStreamClient, JetStreamManager } from '@nats-io/jetstream';
import type { KV } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/nats-core';
import type { Registry } from 'prom-client';
import type { RouterSettings } from '#config/sections.ts';
import type { Clock } from '#domain/clock.ts';
import type { Publisher } from '#infra/nats/publish/publisher.ts';
import type { RecordBatcher } from '#infra/nats/publish/record-batcher.ts';
import type { LeaseRenewer } from '#infra/nats/leases/lease-renewals.ts';
import { ShardLeases, type ShardWork } from '#infra/nats/leases/shard-leases.ts';
import type { StorageSettings } from '#infra/nats/streams/storage-usage.ts';
import type { PayloadStore } from '#infra/payload-store.ts';
import type { TenantLives } from '#infra/tenant-lives.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { Tracing } from '#infra/telemetry/tracing.ts';
import type { Service } from '#infra/service.ts';
import type { ConfigView } from '#wire/config-snapshot.ts';
import type { LaneView } from '#wire/lane-view.ts';
import { SequenceStore } from '#infra/nats/stores/sequence-store.ts';
import { BehindStore } from '#infra/nats/stores/behind-store.ts';
import type { BehindShard } from './behind/behind-tenant.ts';
import { EventConsumer } from './event-consumer.ts';
import type { FaultyFilters } from './faulty-filters.ts';
import { Router } from './router.ts';
import { Sequencer } from './sequences/sequencer.ts';
import { StorageKeeper } from './storage/storage-keeper.ts';

export { Broadcaster } from './broadcast/broadcaster.ts';
export { FaultyFilters } from './faulty-filters.ts';

export interface RouterDeps {
  settings: RouterSettings;
  nc: NatsConnection;
  js: JetStreamClient;
  jsm: JetStreamManager;
  config: ConfigView;
  lives: TenantLives;
  lanes: LaneView;
  refreshTenant: (tenant: string) => Promise<void>;
  publisher: Publisher;
  records: RecordBatcher;
  payloads: PayloadStore;
  faultyFilters: FaultyFilters;
  /** How much JetStream may store. */
  storage: StorageSettings;
  registry: Registry;
  clock: Clock;
  /** Broker time, which events are stored by; milliseconds since 1970. */
  brokerNow: () => number;
  /** The bucket LEASES. */
  leases: KV;
  /** Renews leases while the event loop is busy. */
  renewer: LeaseRenewer;
  /** Name of this process, in the leases: letters, digits, - and _. */
  worker: string;
  tracing?: Tracing | undefined;
  log: Log;
  /** For tests: called at each step of a tenant that is behind. */
  onBehindStep?: BehindShard['onStep'];
  /** For tests: milliseconds between two checks for events that are in flight for long. */
  behindTickMs?: number;
}

/** After another router wrote the state of a shard that this one owns: longer than a lease. */
const REOPEN_AFTER_MS = 5000;

/** Routes the events of the shards whose leases this process holds. */
export function createRouter(deps: RouterDeps): Service {
  const { settings, nc, js, jsm, clock, log } = deps;
  const router = new Router({
    config: deps.config,
    lives: deps.lives,
    lanes: deps.lanes,
    refreshTenant: deps.refreshTenant,
    publisher: deps.publisher,
    records: deps.records,
    payloads: deps.payloads,
    sequencer: createSequencer(deps),
    faultyFilters: deps.faultyFilters,
    fanOutDelays: settings.fanOutDelays,
    registry: deps.registry,
    tracing: deps.tracing,
    now: deps.brokerNow,
    clock,
    log,
  });
  const taps = new Map<number, EventConsumer>();
  const leases = new ShardLeases({
    kv: deps.leases,
    renewer: deps.renewer,
    jsm,
    kind: 'router',
    me: deps.worker,
    shards: settings.shards,
    clock,
    log,
  });
  const behind = new BehindStore({ publisher: deps.publisher, jsm, clock });
  const open = async (shard: number): Promise<void> => {
    const tap: EventConsumer = new EventConsumer({
      nc,
      js,
      jsm,
      shard,
      owns: () => leases.owns(shard),
      onEvent: (event) => router.take(event),
      behind,
      lives: deps.lives,
      onOvertaken: () => reopen(shard, tap),
      onStep: deps.onBehindStep,
      tickMs: deps.behindTickMs,
      clock,
      log,
    });
    taps.set(shard, tap);
    await tap.open();
  };
  /** A router that was overtaken loses its lease by then, or the state was restored by hand. */
  const reopen = (shard: number, closed: EventConsumer): void => {
    const timer = setTimeout(() => {
      if (taps.get(shard) !== closed || !leases.owns(shard)) return;
      open(shard).catch((error: unknown) => {
        log.error({ err: error, shard }, 'router.shard_not_opened');
        const tap = taps.get(shard);
        if (tap !== undefined) reopen(shard, tap);
      });
    }, REOPEN_AFTER_MS);
    timer.unref();
  };
  const work: ShardWork = {
    onAcquired: (shard) => open(shard),
    async onRelease(shard) {
      await taps.get(shard)?.drain(settings.shutdownDeadlineMs);
      taps.delete(shard);
    },
    onExpired(shard) {
      taps.get(shard)?.close();
      taps.delete(shard);
    },
  };
  const keeper = createKeeper(deps, (shard) => leases.owns(shard));
  return {
    name: 'router',
    async start() {
      router.start();
      await leases.start(work);
      keeper.start();
    },
    async stop() {
      await keeper.stop();
      await leases.stop();
      router.stop();
      await deps.records.drain();
    },
  };
}

function createSequencer({ publisher, jsm, clock }: RouterDeps): Sequencer {
  const manager = () => Promise.resolve(jsm);
  return new Sequencer(new SequenceStore({ publisher, jsm: manager, now: clock.wallMs }));
}

function createKeeper(deps: RouterDeps, owns: (shard: number) => boolean): StorageKeeper {
  const { jsm, brokerNow, registry, clock, log } = deps;
  const settings = { ...deps.storage, shards: deps.settings.shards };
  return new StorageKeeper({ jsm, settings, owns, brokerNow, registry, clock, log });
}
