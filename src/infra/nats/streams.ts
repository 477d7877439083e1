import {
  AckPolicy,
  type ConsumerConfig,
  DiscardPolicy,
  type JetStreamManager,
  RetentionPolicy,
  StorageType,
  StoreCompression,
  type StreamConfig,
} from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import { nanos } from '@nats-io/nats-core';
import type { JetStreamClient } from '@nats-io/jetstream';
import type { Settings } from '#config/schema.ts';
import { ConfigError } from '#domain/errors.ts';
import {
  type LaneClass,
  buckets,
  consumers,
  shardSubjects,
  streams,
  subjects,
} from '#wire/subjects.ts';

/** How long a key of the bucket LEASES lives after it was written. */
export const LEASE_MS = 4000;

/** A broadcaster that has not been heard of for so long is taken for dead. */
export const BROADCAST_ACK_WAIT_MS = 10_000;

const DAY_MS = 24 * 3600 * 1000;
const REJECTED_PER_TENANT_MAX = 1000;

type StreamSettings = Pick<
  Settings,
  | 'POSTHORN_SHARDS'
  | 'POSTHORN_STREAM_REPLICAS'
  | 'POSTHORN_EVENT_RETENTION_SECONDS'
  | 'POSTHORN_DELIVERY_TIMEOUT_MS'
>;

/**
 * Creates or updates every stream, its consumers and the KV buckets; idempotent, so that each process calls
 * it at its start and no order of starts matters (docs/architecture.md, "Streams").
 */
export async function ensureTopology(
  js: JetStreamClient,
  jsm: JetStreamManager,
  settings: StreamSettings,
): Promise<void> {
  await refuseOtherShards(jsm, settings.POSTHORN_SHARDS);
  await ensureStreams(js, jsm, settings);
  for (const { stream, config } of sharedConsumers(settings)) {
    await ensureConsumer(jsm, stream, config);
  }
}

/** The streams and buckets alone. */
export async function ensureStreams(
  js: JetStreamClient,
  jsm: JetStreamManager,
  settings: StreamSettings,
): Promise<void> {
  const replicas = settings.POSTHORN_STREAM_REPLICAS;
  const kvm = new Kvm(js);
  await kvm.create(buckets.config, { history: 1, replicas });
  // On disk: a stream in memory would be gone itself after the restart of a single server.
  await kvm.create(buckets.leases, { history: 1, replicas, ttl: LEASE_MS });
  await kvm.create(buckets.lanes, { history: 1, replicas });
  await kvm.create(buckets.ordered, { history: 1, replicas });
  await ensureStream(jsm, deadLetterStream(replicas));
  await ensureStream(jsm, rejectedStream(replicas));
  await ensureStream(jsm, firstEventStream(replicas));
  await ensureStream(jsm, broadcastStream(settings));
  await ensureStream(jsm, payloadStream(settings));
  for (let shard = 0; shard < settings.POSTHORN_SHARDS; shard++) {
    await ensureStream(jsm, eventStream(shard, settings));
    await ensureStream(jsm, deliveryStream(shard, settings));
    await ensureStream(jsm, recordStream(shard, replicas));
  }
}

/** A consumer that is always there, for all tenants. */
export interface SharedConsumer {
  stream: string;
  config: Partial<ConsumerConfig> & { durable_name: string };
}

export function sharedConsumers(settings: StreamSettings): SharedConsumer[] {
  const all: SharedConsumer[] = [
    { stream: streams.deadLetters, config: shared(consumers.projector, 60_000, 1024) },
    {
      stream: streams.broadcasts,
      config: {
        // One at a time, in the order of their storing, whichever router takes it.
        ...shared(consumers.broadcaster, BROADCAST_ACK_WAIT_MS, 1),
        filter_subject: subjects.broadcasts,
      },
    },
  ];
  const ackWaitMs = settings.POSTHORN_DELIVERY_TIMEOUT_MS + 30_000;
  for (let shard = 0; shard < settings.POSTHORN_SHARDS; shard++) {
    const deliver = (name: string, lane: LaneClass, maxAckPending: number): SharedConsumer => ({
      stream: streams.deliveries(shard),
      config: { ...shared(name, ackWaitMs, maxAckPending), filter_subject: `dlv.*.${lane}.>` },
    });
    all.push(
      { stream: streams.events(shard), config: shared(consumers.router, 30_000, 2048) },
      { stream: streams.events(shard), config: shared(consumers.projector, 60_000, 8192) },
      { stream: streams.records(shard), config: shared(consumers.projector, 60_000, 1024) },
      deliver(consumers.deliverShared, 's', 2048),
      deliver(consumers.deliverHigh, 'h', 1024),
      deliver(consumers.deliverAgain, 'r', 2048),
    );
  }
  return all;
}

/** Every stream that is always there, those of the buckets too. */
export function allStreams(shards: number): string[] {
  const fixed = [streams.deadLetters, streams.rejected, streams.firstEvents, streams.broadcasts];
  const { payloads, ...others } = buckets;
  const kv = Object.values(others).map((bucket) => `KV_${bucket}`);
  const sharded = Array.from({ length: shards }, (_, shard) => [
    streams.events(shard),
    streams.deliveries(shard),
    streams.records(shard),
  ]);
  return [...fixed, `OBJ_${payloads}`, ...kv, ...sharded.flat()];
}

/**
 * A changed number of shards would move subjects between streams and leave messages and retries behind.
 *
 * @throws ConfigError where the streams were made for another number
 */
async function refuseOtherShards(jsm: JetStreamManager, shards: number): Promise<void> {
  let made: string[];
  try {
    made = (await jsm.streams.info(streams.events(0))).config.subjects;
  } catch (error) {
    if (apiErrorCode(error) === STREAM_NOT_FOUND) return;
    throw error;
  }
  if (made.toSorted().join() === shardSubjects('ev', 0, shards).toSorted().join()) return;
  throw new ConfigError([
    `POSTHORN_SHARDS: the streams were made for another number than ${shards}; how to change it: docs/operations/shards.md`,
  ]);
}

/** `max_deliver: -1`: nothing is ever given up by the server; what is given up becomes a dead letter. */
function shared(name: string, ackWaitMs: number, maxAckPending: number): SharedConsumer['config'] {
  return {
    durable_name: name,
    ack_policy: AckPolicy.Explicit,
    ack_wait: nanos(ackWaitMs),
    max_deliver: -1,
    max_ack_pending: maxAckPending,
  };
}

function eventStream(shard: number, settings: StreamSettings): Partial<StreamConfig> {
  return {
    ...common(streams.events(shard), settings.POSTHORN_STREAM_REPLICAS),
    subjects: shardSubjects('ev', shard, settings.POSTHORN_SHARDS),
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.New,
    max_age: nanos(settings.POSTHORN_EVENT_RETENTION_SECONDS * 1000),
    compression: StoreCompression.S2,
  };
}

/** No age and no size limit: a limit would silently drop retries that wait (nats-server, ADR-51). */
function deliveryStream(shard: number, settings: StreamSettings): Partial<StreamConfig> {
  return {
    ...common(streams.deliveries(shard), settings.POSTHORN_STREAM_REPLICAS),
    subjects: shardSubjects('dlv', shard, settings.POSTHORN_SHARDS),
    retention: RetentionPolicy.Workqueue,
    // Whoever owns the shard hears at once of what is stored for an ordered endpoint.
    republish: { src: subjects.orderedOfAll, dest: subjects.wake(shard), headers_only: true },
    allow_msg_schedules: true,
  };
}

/** The last of each subject: of an event the only one, of its progress the newest. */
function broadcastStream(settings: StreamSettings): Partial<StreamConfig> {
  return {
    ...common(streams.broadcasts, settings.POSTHORN_STREAM_REPLICAS),
    subjects: ['bc.>'],
    retention: RetentionPolicy.Limits,
    max_age: nanos(settings.POSTHORN_EVENT_RETENTION_SECONDS * 1000),
    max_msgs_per_subject: 1,
    compression: StoreCompression.S2,
  };
}

function recordStream(shard: number, replicas: number): Partial<StreamConfig> {
  return {
    ...common(streams.records(shard), replicas),
    subjects: [subjects.records(shard)],
    retention: RetentionPolicy.Limits,
    // Long enough for MongoDB to be away for a weekend.
    max_age: nanos(3 * DAY_MS),
    compression: StoreCompression.S2,
  };
}

function deadLetterStream(replicas: number): Partial<StreamConfig> {
  return {
    ...common(streams.deadLetters, replicas),
    subjects: ['dlq.>'],
    retention: RetentionPolicy.Limits,
    max_age: nanos(30 * DAY_MS),
    compression: StoreCompression.S2,
  };
}

/** Bounded for each tenant, so that one faulty producer does not push out what others want to see. */
function rejectedStream(replicas: number): Partial<StreamConfig> {
  return {
    ...common(streams.rejected, replicas),
    subjects: ['rej.>'],
    retention: RetentionPolicy.Limits,
    max_age: nanos(7 * DAY_MS),
    max_msgs_per_subject: REJECTED_PER_TENANT_MAX,
    compression: StoreCompression.S2,
  };
}

/** As the object store wants it (nats-server, ADR-20). Objects come before their events, and go after them. */
function payloadStream(settings: StreamSettings): Partial<StreamConfig> {
  const bucket = buckets.payloads;
  return {
    ...common(`OBJ_${bucket}`, settings.POSTHORN_STREAM_REPLICAS),
    subjects: [`$O.${bucket}.C.>`, `$O.${bucket}.M.>`],
    discard: DiscardPolicy.New,
    allow_rollup_hdrs: true,
    max_age: nanos((settings.POSTHORN_EVENT_RETENTION_SECONDS + 3600) * 1000),
  };
}

/** Each message carries its own time to live; the age is for one that has lost it. */
function firstEventStream(replicas: number): Partial<StreamConfig> {
  return {
    ...common(streams.firstEvents, replicas),
    subjects: ['dup.>'],
    retention: RetentionPolicy.Limits,
    max_age: nanos(2 * DAY_MS),
    max_msgs_per_subject: 1,
    allow_msg_ttl: true,
  };
}

function common(name: string, replicas: number): Partial<StreamConfig> & { name: string } {
  return {
    name,
    storage: StorageType.File,
    num_replicas: replicas,
    allow_direct: true,
    duplicate_window: nanos(120_000),
  };
}

async function ensureStream(jsm: JetStreamManager, config: Partial<StreamConfig>): Promise<void> {
  const wanted = config as Partial<StreamConfig> & { name: string };
  try {
    await jsm.streams.add(wanted);
  } catch (error) {
    // It is there with another configuration: bring it up to date.
    if (apiErrorCode(error) !== STREAM_NAME_IN_USE) throw error;
    await jsm.streams.update(wanted.name, wanted);
  }
}

async function ensureConsumer(
  jsm: JetStreamManager,
  stream: string,
  config: SharedConsumer['config'],
): Promise<void> {
  try {
    // On a consumer that is there this is an update of what may change.
    await jsm.consumers.add(stream, config);
  } catch (error) {
    if (apiErrorCode(error) !== CONSUMER_IS_THERE) throw error;
    // One that was made again from where it stood (`topology-keeper.ts`) keeps where it began: that cannot change.
    await jsm.consumers.update(stream, config.durable_name, config);
  }
}

const CONSUMER_IS_THERE = 10_148;
export const CONSUMER_NOT_FOUND = 10_014;
const STREAM_NAME_IN_USE = 10_058;
const STREAM_NOT_FOUND = 10_059;

/** The `err_code` of a JetStream API error (nats-server, server/errors.json). */
export function apiErrorCode(error: unknown): number | undefined {
  return (error as { code?: number }).code;
}
