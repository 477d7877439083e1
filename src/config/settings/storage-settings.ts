import { integer, optionalInteger } from '../setting.ts';

/** The streams, and how long data is kept. */
export const storageSettings = {
  POSTHORN_SHARDS: integer({
    default: 4,
    minimum: 1,
    maximum: 64,
    description:
      'Number of shard streams. Must be the same for all processes; to change it, see docs/operations/sizing/shards.md. `posthorn start` with its embedded NATS uses 1 by default.',
  }),
  POSTHORN_STREAM_REPLICAS: integer({
    default: 1,
    minimum: 1,
    maximum: 5,
    description: 'Replicas of every stream: 1 with the embedded NATS, 3 in production.',
  }),
  POSTHORN_JETSTREAM_BYTES_MAX: optionalInteger({
    minimum: 64 * 1024 ** 2,
    maximum: Number.MAX_SAFE_INTEGER,
    description:
      'Bytes that JetStream may store on each broker: `max_file_store` of the servers (docs/operations/sizing/capacity.md). The bounds of the streams, and the mark at which publishing is refused, are shares of it. Must be the same for all processes. Without it, the storage limit of the NATS account applies if there is one; otherwise streams have no bounds, and the disk is the limit. `posthorn start` gives it to its embedded NATS.',
  }),
  POSTHORN_EVENT_RETENTION_SECONDS: integer({
    default: 7 * 24 * 3600,
    minimum: 3600,
    maximum: 365 * 24 * 3600,
    description: 'How long events are kept in JetStream, and so can be replayed from the stream.',
  }),
  POSTHORN_HISTORY_RETENTION_SECONDS: integer({
    default: 30 * 24 * 3600,
    minimum: 72 * 3600,
    maximum: 3650 * 24 * 3600,
    description:
      'How long events, deliveries and attempts are kept in MongoDB. Also the window of idempotency.',
  }),
};
