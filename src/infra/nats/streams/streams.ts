import {
  AckPolicy,
  type ConsumerConfig,
  type JetStreamClient,
  type JetStreamManager,
  type StreamConfig,
} from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import { nanos } from '@nats-io/nats-core';
import type { StreamSettings } from '#config/sections.ts';
import { ConfigError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import {
  type DeliveryClass,
  buckets,
  consumers,
  shardSubjects,
  streams,
  subjects,
} from '#wire/subjects.ts';
import { apiErrorCode, apiErrors, isRightMissing } from '../api-errors.ts';
import { readStorageUsage } from './storage-usage.ts';
import { type NamedStream, streamConfigs } from './stream-configs.ts';

/** How long a key of the bucket LEASES lives after it was written. */
export const LEASE_MS = 4000;

/** How long a key of the bucket RATES lives after it was written. */
const RATES_KEPT_MS = 4000;

/** A broadcaster without a sign of life for this long is taken for dead. */
export const BROADCAST_ACK_WAIT_MS = 10_000;

/**
 * Creates or updates every stream, the KV buckets, and consumers. Idempotent: each process calls it
 * at its start, so processes may start in any order (docs/architecture.md, "Streams").
 *
 * @param keeps which consumers: those that the process reads, or all
 */
export async function ensureTopology(
  js: JetStreamClient,
  jsm: JetStreamManager,
  settings: StreamSettings,
  keeps: (consumer: SharedConsumer) => boolean = () => true,
): Promise<void> {
  await refuseOthers(jsm, settings.shards);
  await ensureStreams(js, jsm, settings);
  for (const { stream, config } of sharedConsumers(settings).filter(keeps)) {
    await ensureConsumer(jsm, stream, config);
  }
}

/** Creates or updates the streams and buckets alone. */
export async function ensureStreams(
  js: JetStreamClient,
  jsm: JetStreamManager,
  settings: StreamSettings,
): Promise<void> {
  const replicas = settings.replicas;
  const kvm = new Kvm(js);
  await kvm.create(buckets.config, { history: 1, replicas });
  // On disk: a stream in memory would be lost by the restart of a single server.
  await kvm.create(buckets.leases, { history: 1, replicas, ttl: LEASE_MS });
  await kvm.create(buckets.lanes, { history: 1, replicas });
  await kvm.create(buckets.ordered, { history: 1, replicas });
  await kvm.create(buckets.behind, { history: 1, replicas });
  await kvm.create(buckets.rates, { history: 1, replicas, ttl: RATES_KEPT_MS });
  // A limit of the account bounds the streams too. It may change, so it is read each time.
  const { bytesMax } = await readStorageUsage(jsm, settings);
  for (const config of streamConfigs({ ...settings, bytesMax })) await ensureStream(jsm, config);
}

/** A permanent consumer, shared by all tenants. */
export interface SharedConsumer {
  stream: string;
  /** The role that reads it. */
  reader: 'router' | 'delivery' | 'control';
  config: Partial<ConsumerConfig> & { durable_name: string };
}

/** The permanent consumers of every stream. */
export function sharedConsumers(settings: StreamSettings): SharedConsumer[] {
  const all: SharedConsumer[] = [
    {
      stream: streams.deadLetters,
      reader: 'control',
      config: shared(consumers.projector, 60_000, 1024),
    },
    {
      stream: streams.broadcasts,
      reader: 'router',
      config: {
        // One at a time, in stream order, for all routers together.
        ...shared(consumers.broadcaster, BROADCAST_ACK_WAIT_MS, 1),
        filter_subject: subjects.broadcasts,
      },
    },
  ];
  const ackWaitMs = settings.deliveryTimeoutMs + 30_000;
  for (let shard = 0; shard < settings.shards; shard++) {
    const deliver = (
      name: string,
      deliveryClass: DeliveryClass,
      maxAckPending: number,
    ): SharedConsumer => ({
      stream: streams.deliveries(shard),
      reader: 'delivery',
      config: {
        ...shared(name, ackWaitMs, maxAckPending),
        filter_subject: `dlv.*.${deliveryClass}.>`,
      },
    });
    const project = (stream: string, maxAckPending: number): SharedConsumer => ({
      stream,
      reader: 'control',
      config: shared(consumers.projector, 60_000, maxAckPending),
    });
    const route = shared(consumers.router, 30_000, limits.routerWindowMax);
    all.push(
      { stream: streams.events(shard), reader: 'router', config: route },
      project(streams.events(shard), 8192),
      project(streams.records(shard), 1024),
      deliver(consumers.deliverShared, 's', 2048),
      deliver(consumers.deliverHigh, 'h', 1024),
      deliver(consumers.deliverRepeats, 'r', 2048),
    );
  }
  return all;
}

/** All permanent streams, those of the buckets included. */
export function allStreams(shards: number): string[] {
  const fixed = [
    streams.deadLetters,
    streams.rejected,
    streams.firstEvents,
    streams.sequences,
    streams.broadcasts,
  ];
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
 * Refuses another number of shards: it would move subjects between streams and strand messages and
 * retries. Refuses mirrors of another region: to change them is to promote them.
 *
 * @throws ConfigError if the streams are mirrors, or were created for another number
 */
async function refuseOthers(jsm: JetStreamManager, shards: number): Promise<void> {
  const first = streams.events(0);
  let made: StreamConfig;
  try {
    made = (await jsm.streams.info(first)).config;
  } catch (error) {
    if (apiErrorCode(error) === apiErrors.streamNotFound) return;
    throw error;
  }
  if (made.mirror !== undefined) {
    throw new ConfigError([
      `POSTHORN_NATS_URL: ${first} there is a mirror of another region; how to promote it: docs/operations/region-loss.md`,
    ]);
  }
  if (made.subjects.toSorted().join() === shardSubjects('ev', 0, shards).toSorted().join()) return;
  throw new ConfigError([
    `POSTHORN_SHARDS: the streams were made for another number than ${shards}; how to change it: docs/operations/sizing/shards.md`,
  ]);
}

/**
 * `max_deliver: -1`: the server never drops a message; only this code turns deliveries into dead
 * letters.
 */
function shared(name: string, ackWaitMs: number, maxAckPending: number): SharedConsumer['config'] {
  return {
    durable_name: name,
    ack_policy: AckPolicy.Explicit,
    ack_wait: nanos(ackWaitMs),
    max_deliver: -1,
    max_ack_pending: maxAckPending,
  };
}

async function ensureStream(jsm: JetStreamManager, wanted: NamedStream): Promise<void> {
  try {
    await jsm.streams.add(wanted);
  } catch (error) {
    // It exists with another configuration: update it.
    if (apiErrorCode(error) !== apiErrors.streamNameInUse) throw error;
    await jsm.streams.update(wanted.name, wanted).catch((refusal: unknown) => {
      // The user of this role may not change streams (`access/role-permissions.ts`): the migration
      // and control do. During a roll-out the stream may be that of another version.
      if (!isRightMissing(refusal)) throw refusal;
    });
  }
}

async function ensureConsumer(
  jsm: JetStreamManager,
  stream: string,
  config: SharedConsumer['config'],
): Promise<void> {
  try {
    // For an existing consumer this updates the settings that may change.
    await jsm.consumers.add(stream, config);
  } catch (error) {
    if (apiErrorCode(error) !== apiErrors.consumerIsThere) throw error;
    // A consumer that was recreated from its floor (`topology-reconciler.ts`) keeps its start,
    // which cannot change.
    await jsm.consumers.update(stream, config.durable_name, config);
  }
}
