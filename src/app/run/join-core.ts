import { type JetStreamClient, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { type KV, Kvm } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/nats-core';
import type { Settings } from '#config/sections.ts';
import type { Clock } from '#domain/clock.ts';
import { ConfigError } from '#domain/errors.ts';
import { BrokerClock, readBrokerClock } from '#infra/nats/broker-clock.ts';
import { ConfigStore } from '#infra/nats/stores/config-store.ts';
import { LaneStore } from '#infra/nats/stores/lane-store.ts';
import { NatsPayloadStore } from '#infra/nats/stores/nats-payload-store.ts';
import { Publisher } from '#infra/nats/publish/publisher.ts';
import { RecordBatcher } from '#infra/nats/publish/record-batcher.ts';
import { type SharedConsumer, ensureTopology } from '#infra/nats/streams/streams.ts';
import { retry } from '#infra/retry.ts';
import type { PayloadStore } from '#infra/payload-store.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { buckets } from '#wire/subjects.ts';

const TOPOLOGY_RETRY = { firstMs: 1000, maxMs: 1000 };
/**
 * JetStream answers the data plane within milliseconds, or not at all if the addressed server has
 * just died. Two seconds leave time to retry before a lease of 4 s expires.
 */
const QUICK = { timeout: 2000 };
const LEASES = { timeout: 1000 };

/** The parts of NATS that every role needs: the streams, the publishers, the configuration. */
export interface Core {
  js: JetStreamClient;
  jsm: Awaited<ReturnType<typeof jetstreamManager>>;
  config: ConfigStore;
  lanes: LaneStore;
  leases: KV;
  ordered: KV;
  publisher: Publisher;
  ingressPublisher: Publisher;
  records: RecordBatcher;
  brokerClock: BrokerClock;
  /** `js` and `jsm` with short timeouts, for the data plane. */
  quick: Pick<Core, 'js' | 'jsm'>;
  payloads: PayloadStore;
}

/**
 * Creates missing JetStream resources, waits for them, and starts the parts that every role needs.
 *
 * @throws ConfigError if JetStream refuses a setting
 */
export async function joinCore(
  nc: NatsConnection,
  settings: Settings,
  clock: Clock,
  log: Log,
): Promise<Core> {
  const js = jetstream(nc);
  const jsm = await jetstreamManager(nc, { checkAPI: false });
  const keeps = ({ reader }: SharedConsumer): boolean => settings.roles.includes(reader);
  await untilDone(() => ensureTopology(js, jsm, settings.streams, keeps), log);
  const config = new ConfigStore({ nc, clock, log });
  await config.start();
  const lanes = new LaneStore({ nc, log });
  await lanes.start();
  const leases = await untilDone(() => new Kvm(jetstream(nc, LEASES)).open(buckets.leases), log);
  const ordered = await untilDone(() => new Kvm(js).open(buckets.ordered), log);
  const publisher = new Publisher({ nc, window: settings.publishWindow, clock, log });
  const ingressPublisher = new Publisher({ nc, window: settings.publishWindow, clock, log });
  const records = new RecordBatcher({ publisher, shards: settings.streams.shards, clock, log });
  const brokerClock = new BrokerClock({ read: () => readBrokerClock(jsm), clock, log });
  await brokerClock.start();
  const quick = await askQuickly(nc);
  const publishers = { publisher, ingressPublisher };
  const payloads = new NatsPayloadStore({ js, jsm });
  const stores = { config, lanes, leases, ordered, payloads };
  return { js, jsm, ...stores, ...publishers, records, brokerClock, quick };
}

/** Stops the parts that `joinCore` started. The connection stays open. */
export function leaveCore(core: Core): void {
  core.config.stop();
  core.brokerClock.stop();
  core.lanes.stop();
  core.publisher.close();
  core.ingressPublisher.close();
}

/**
 * Retries: JetStream may have no leader yet, or be slow, or another process may be creating the
 * same streams.
 */
function untilDone<T>(work: () => Promise<T>, log: Log): Promise<T> {
  return retry(work, {
    ...TOPOLOGY_RETRY,
    onFailure: (error) => {
      if (error instanceof ConfigError) throw error;
      log.warn({ error: (error as Error).message }, 'nats.streams_not_ready');
    },
  });
}

/** JetStream clients with the short timeouts of the data plane. */
async function askQuickly(nc: NatsConnection): Promise<Pick<Core, 'js' | 'jsm'>> {
  return {
    js: jetstream(nc, QUICK),
    jsm: await jetstreamManager(nc, { ...QUICK, checkAPI: false }),
  };
}
