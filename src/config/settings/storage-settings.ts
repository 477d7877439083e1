import { integer } from '../setting.ts';

/** The streams, and how long what is stored stays. */
export const storageSettings = {
  POSTHORN_SHARDS: integer({
    default: 4,
    minimum: 1,
    maximum: 64,
    description:
      'Shard streams. The same for all processes; to change it, see docs/operations/shards.md. `posthorn start` with its own NATS takes 1 where this is absent.',
  }),
  POSTHORN_STREAM_REPLICAS: integer({
    default: 1,
    minimum: 1,
    maximum: 5,
    description: 'Replicas of every stream: 1 embedded, 3 in production.',
  }),
  POSTHORN_EVENT_RETENTION_SECONDS: integer({
    default: 7 * 24 * 3600,
    minimum: 3600,
    maximum: 365 * 24 * 3600,
    description: 'How long events stay in JetStream: the window of replays from the stream.',
  }),
  POSTHORN_HISTORY_RETENTION_SECONDS: integer({
    default: 30 * 24 * 3600,
    minimum: 72 * 3600,
    maximum: 3650 * 24 * 3600,
    description:
      'How long events, deliveries and attempts stay in MongoDB; the window of idempotency too.',
  }),
};
