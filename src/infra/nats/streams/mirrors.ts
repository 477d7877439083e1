/**
 * The streams of a recovery region: mirrors of the streams of the primary region, over a leaf node
 * and the primary's JetStream domain, until they are promoted (docs/operations/region-loss.md).
 *
 * Work queues and buckets are not mirrored. Deliveries are computed again from their events, with
 * the same ids, and control writes the configuration from MongoDB.
 */
import {
  DeliverPolicy,
  DiscardPolicy,
  type JetStreamManager,
  type StreamInfo,
} from '@nats-io/jetstream';
import type { StreamSettings } from '#config/sections.ts';
import { ConfigError } from '#domain/errors.ts';
import { buckets, consumers, streams } from '#wire/subjects.ts';
import { apiErrorCode, apiErrors } from '../api-errors.ts';
import { readStorageUsage } from './storage-usage.ts';
import { type NamedStream, streamConfigs } from './stream-configs.ts';
import { type SharedConsumer, sharedConsumers } from './streams.ts';

/** How far a mirror is behind its origin. */
export interface MirrorState {
  stream: string;
  messages: number;
  /** Messages of the origin that it lacks, as of the last sign of life. */
  behind: number;
  /** Since the last message or heartbeat of the origin; undefined: none yet. */
  silenceMs: number | undefined;
}

/**
 * The mirrored streams, in the order of their promotion. The first shard's events come last: while
 * they are a mirror, `ensureTopology` refuses to start any process.
 */
export function mirroredStreams(shards: number): string[] {
  const all = [
    streams.deadLetters,
    streams.sequences,
    streams.broadcasts,
    `OBJ_${buckets.payloads}`,
  ];
  for (let shard = shards - 1; shard >= 0; shard--) {
    all.push(streams.records(shard), streams.events(shard));
  }
  return all;
}

/**
 * Creates or updates the mirrors. Idempotent.
 *
 * @param domain the JetStream domain of the primary region
 * @throws ConfigError if a stream exists that is no mirror
 */
export async function ensureMirrors(
  jsm: JetStreamManager,
  settings: StreamSettings,
  domain: string,
): Promise<void> {
  for (const { subjects: _, ...config } of await mirroredConfigs(jsm, settings)) {
    await ensureMirror(jsm, {
      ...config,
      // The primary removes messages early when its storage is full, and a mirror does not see it.
      // At its bound it drops its oldest messages rather than miss new ones.
      discard: DiscardPolicy.Old,
      mirror: { name: config.name, external: { api: `$JS.${domain}.API`, deliver: '' } },
    });
  }
}

/** The state of each mirror. */
export async function readMirrors(
  jsm: JetStreamManager,
  settings: StreamSettings,
): Promise<MirrorState[]> {
  const found: MirrorState[] = [];
  for (const stream of mirroredStreams(settings.shards)) {
    const { mirror, state } = await jsm.streams.info(stream);
    const active = mirror?.active ?? -1;
    const silenceMs = active < 0 ? undefined : active / 1e6;
    found.push({ stream, messages: state.messages, behind: mirror?.lag ?? 0, silenceMs });
  }
  return found;
}

/**
 * Turns the mirrors into the streams of this installation, which their consumers read from a time
 * on. May be repeated after a crash, with the same time.
 *
 * @param from events stored since then are routed, and their records projected, again
 * @throws ConfigError if there is no mirror, or an earlier call had another time
 */
export async function promoteMirrors(
  jsm: JetStreamManager,
  settings: StreamSettings,
  from: Date,
): Promise<void> {
  const wanted = await mirroredConfigs(jsm, settings);
  const last = streams.events(0);
  if ((await infoOf(jsm, last))?.config.mirror === undefined) {
    throw new ConfigError([
      `promote: ${last} is not a mirror: it is promoted already, or was none`,
    ]);
  }
  // First the consumers: a process that finds none would create one that reads from the beginning.
  const names = new Set(wanted.map(({ name }) => name));
  for (const consumer of sharedConsumers(settings)) {
    if (names.has(consumer.stream)) await createFrom(jsm, consumer, from);
  }
  for (const config of wanted) {
    // A crash here leaves the mirrors that follow, the events of the first shard among them. The
    // client merges the configurations, so a mirror ends only by name.
    const update = { ...config, mirror: undefined } as unknown as NamedStream;
    await jsm.streams.update(config.name, update);
  }
}

async function mirroredConfigs(
  jsm: JetStreamManager,
  settings: StreamSettings,
): Promise<NamedStream[]> {
  const { bytesMax } = await readStorageUsage(jsm, settings);
  const configs = new Map(
    streamConfigs({ ...settings, bytesMax }).map((config) => [config.name, config]),
  );
  return mirroredStreams(settings.shards).map((name) => configs.get(name) as NamedStream);
}

async function ensureMirror(jsm: JetStreamManager, wanted: NamedStream): Promise<void> {
  try {
    await jsm.streams.add(wanted);
  } catch (error) {
    if (apiErrorCode(error) !== apiErrors.streamNameInUse) throw error;
    if ((await infoOf(jsm, wanted.name))?.config.mirror === undefined) {
      throw new ConfigError([
        `mirror: ${wanted.name} exists and is not a mirror: this installation is in use`,
      ]);
    }
    await jsm.streams.update(wanted.name, wanted);
  }
}

async function createFrom(
  jsm: JetStreamManager,
  { stream, config }: SharedConsumer,
  from: Date,
): Promise<void> {
  // Broadcasts store their progress in their stream: those that ended are only acked.
  if (config.durable_name === consumers.broadcaster) {
    await jsm.consumers.add(stream, config);
    return;
  }
  const start = { deliver_policy: DeliverPolicy.StartTime, opt_start_time: from.toISOString() };
  try {
    await jsm.consumers.add(stream, { ...config, ...start });
  } catch (error) {
    if (apiErrorCode(error) !== apiErrors.consumerIsThere) throw error;
    const { config: made } = await jsm.consumers.info(stream, config.durable_name);
    throw new ConfigError([
      `--from: the consumer ${config.durable_name} of ${stream} starts at ${made.opt_start_time} already: repeat it with that time`,
    ]);
  }
}

async function infoOf(jsm: JetStreamManager, stream: string): Promise<StreamInfo | undefined> {
  try {
    return await jsm.streams.info(stream);
  } catch (error) {
    if (apiErrorCode(error) === apiErrors.streamNotFound) return undefined;
    throw error;
  }
}
