import {
  DiscardPolicy,
  RetentionPolicy,
  StorageType,
  StoreCompression,
  type StreamConfig,
} from '@nats-io/jetstream';
import { nanos } from '@nats-io/nats-core';
import type { StreamSettings } from '#config/sections.ts';
import { limits } from '#domain/limits.ts';
import { type StreamBounds, streamBounds } from '#domain/storage-shares.ts';
import { buckets, shardSubjects, streams, subjects } from '#wire/subjects.ts';

const DAY_MS = 24 * 3600 * 1000;
const REJECTED_PER_TENANT_MAX = 1000;

export type NamedStream = Partial<StreamConfig> & { name: string };

/**
 * The wanted configuration of every stream (docs/architecture.md, "Streams"), except those of the
 * KV buckets.
 */
export function streamConfigs(settings: StreamSettings): NamedStream[] {
  const { replicas } = settings;
  const bounds = streamBounds(settings.bytesMax, settings.shards);
  const all = [
    deadLetterStream(replicas, bounds),
    rejectedStream(replicas, bounds),
    firstEventStream(replicas),
    sequenceStream(replicas),
    broadcastStream(settings, bounds),
    payloadStream(settings, bounds),
  ];
  for (let shard = 0; shard < settings.shards; shard++) {
    all.push(
      eventStream(shard, settings, bounds),
      deliveryStream(shard, settings),
      recordStream(shard, replicas, bounds),
    );
  }
  return all;
}

function eventStream(shard: number, settings: StreamSettings, bounds: StreamBounds): NamedStream {
  return {
    ...common(streams.events(shard), settings.replicas),
    subjects: shardSubjects('ev', shard, settings.shards),
    retention: RetentionPolicy.Limits,
    max_bytes: bounds.events,
    max_age: nanos(settings.eventRetentionSeconds * 1000),
    compression: StoreCompression.S2,
  };
}

/**
 * No age and no size limit: an age would silently drop waiting retries (nats-server, ADR-51), and
 * at a size the retries of accepted events would have no room.
 */
function deliveryStream(shard: number, settings: StreamSettings): NamedStream {
  return {
    ...common(streams.deliveries(shard), settings.replicas),
    max_bytes: -1,
    // The server accepts no other policy with schedules; without a bound it drops nothing.
    discard: DiscardPolicy.Old,
    subjects: shardSubjects('dlv', shard, settings.shards),
    retention: RetentionPolicy.Workqueue,
    // Notifies the owner of the shard immediately of messages stored for an ordered endpoint.
    republish: { src: subjects.queuesOfAll, dest: subjects.wake(shard), headers_only: true },
    allow_msg_schedules: true,
  };
}

/** Keeps the last message of each subject: the event itself, and its newest progress. */
function broadcastStream(settings: StreamSettings, bounds: StreamBounds): NamedStream {
  return {
    ...common(streams.broadcasts, settings.replicas),
    subjects: ['bc.>'],
    retention: RetentionPolicy.Limits,
    max_bytes: bounds.broadcasts,
    max_age: nanos(settings.eventRetentionSeconds * 1000),
    max_msgs_per_subject: 1,
    compression: StoreCompression.S2,
  };
}

function recordStream(shard: number, replicas: number, bounds: StreamBounds): NamedStream {
  return {
    ...common(streams.records(shard), replicas),
    subjects: [subjects.records(shard)],
    retention: RetentionPolicy.Limits,
    max_bytes: bounds.records,
    // Long enough for MongoDB to be down over a weekend.
    max_age: nanos(3 * DAY_MS),
    compression: StoreCompression.S2,
  };
}

function deadLetterStream(replicas: number, bounds: StreamBounds): NamedStream {
  return {
    ...common(streams.deadLetters, replicas),
    subjects: ['dlq.>'],
    retention: RetentionPolicy.Limits,
    max_bytes: bounds.deadLetters,
    max_age: nanos(30 * DAY_MS),
    compression: StoreCompression.S2,
  };
}

/**
 * Bounded for each tenant, so that one faulty producer does not push out the messages of others.
 */
function rejectedStream(replicas: number, bounds: StreamBounds): NamedStream {
  return {
    ...common(streams.rejected, replicas),
    subjects: ['rej.>'],
    retention: RetentionPolicy.Limits,
    max_bytes: bounds.rejected,
    max_age: nanos(7 * DAY_MS),
    max_msgs_per_subject: REJECTED_PER_TENANT_MAX,
    compression: StoreCompression.S2,
  };
}

/**
 * As the object store requires it (nats-server, ADR-20). Objects are stored before their events,
 * and expire after them.
 */
function payloadStream(settings: StreamSettings, bounds: StreamBounds): NamedStream {
  const bucket = buckets.payloads;
  return {
    ...common(`OBJ_${bucket}`, settings.replicas),
    subjects: [`$O.${bucket}.C.>`, `$O.${bucket}.M.>`],
    allow_rollup_hdrs: true,
    max_bytes: bounds.payloads,
    max_age: nanos((settings.eventRetentionSeconds + 3600) * 1000),
  };
}

/** Each message carries its own time to live; the age removes a message that has lost it. */
function firstEventStream(replicas: number): NamedStream {
  return {
    ...common(streams.firstEvents, replicas),
    subjects: ['dup.>'],
    retention: RetentionPolicy.Limits,
    max_age: nanos(2 * DAY_MS),
    max_msgs_per_subject: 1,
    allow_msg_ttl: true,
  };
}

/**
 * Bounded for each endpoint, and not by age or size: the last number of an endpoint must never be
 * removed, or its next one would be given again.
 */
function sequenceStream(replicas: number): NamedStream {
  return {
    ...common(streams.sequences, replicas),
    subjects: ['seq.>'],
    retention: RetentionPolicy.Limits,
    max_msgs_per_subject: limits.sequencesKept,
    compression: StoreCompression.S2,
  };
}

function common(name: string, replicas: number): NamedStream {
  return {
    name,
    storage: StorageType.File,
    // At its bound a stream refuses new messages. The other policy would silently drop old ones.
    discard: DiscardPolicy.New,
    num_replicas: replicas,
    allow_direct: true,
    duplicate_window: nanos(120_000),
  };
}
