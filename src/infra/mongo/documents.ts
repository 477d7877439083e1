/**
 * The documents of the history, written by the projector and read by the control API. Configuration
 * documents (tenants, endpoints, …) stand beside their resources in `control/`.
 */
import {
  type Binary,
  type Collection,
  type Db,
  Long,
  MongoClient,
  type MongoClientOptions,
} from 'mongodb';
import { ConfigError } from '#domain/errors.ts';
import type { AttemptRecord } from '#wire/frames/record.ts';
import type { DataKind, ExtensionValue, PayloadRef } from '#wire/frames/event-frame.ts';
import type { DeliveryStatus } from '#domain/outcome/delivery.ts';

/** `<life id>/<event id>`: the key of the event store (RT-7). Life ids hold no slash. */
export function eventKey(lifeId: string, eventId: string): string {
  return `${lifeId}/${eventId}`;
}

export interface EventDocument {
  /** `eventKey(tenant, id)` */
  _id: string;
  /** Life id, here and in the other documents of the history. */
  tenant: string;
  id: string;
  /** The id of the CloudEvent, where `id` is a digest of it and its source. */
  producer_id?: string;
  /** Of an id that the caller chose; set by ingress before the event is stored. */
  fingerprint?: string;
  /** Sequence in its EV stream; absent while only claimed by ingress: such a document is not an event yet. */
  seq?: number;
  type?: string;
  source?: string;
  time?: string;
  subject?: string;
  dataschema?: string;
  content_type?: string;
  kind?: DataKind;
  ext?: Record<string, ExtensionValue>;
  correlation_id?: string;
  accepted_at: Date;
  /** `data` as it was sent: text for kinds `json` and `text`, base64 for `binary`. */
  data?: string;
  /** The event has no `data`. */
  no_data?: true;
  /** Where `data` is instead, of a large event. */
  payload?: PayloadRef;
  /** How many deliveries the router made of it; absent until it was routed; 0: unmatched. */
  routed?: number;
}

/**
 * What became of a delivery. Fields compare in this order, so that MongoDB's `$max` keeps the newest
 * state whatever order the records are applied in: first `hop`, then `rank`.
 */
export interface DeliveryState {
  hop: number;
  rank: number;
  status: DeliveryStatus;
  reason: string | null;
  at: Date;
  next_attempt_at: Date | null;
}

export interface DeliveryDocument {
  /** Delivery id. */
  _id: string;
  tenant: string;
  event: string;
  endpoint: string;
  type: string;
  accepted_at: Date;
  state: DeliveryState;
  /** By attempt id: applying an attempt twice changes nothing. */
  attempts?: Record<string, AttemptRecord>;
}

/** A delivery that was given up, kept whole (DL-10). */
export interface DeadLetterDocument {
  /** Delivery id: a delivery ends once. */
  _id: string;
  tenant: string;
  event: string;
  endpoint: string;
  type: string;
  /** When it was given up. */
  at: Date;
  accepted_at: Date;
  reason: string;
  /** What made the last attempt fail, or the reason where there was none: `http_503`, `timeout`, … */
  cause: string;
  attempt_count: number;
  last_attempt: AttemptRecord | null;
  /** The event's sequence in its EV stream. */
  seq: number;
  /** The event's frame; null where the event had expired, or after it was discarded. */
  frame: Binary | null;
  replayed_at: Date | null;
  /** The delivery that the replay made. */
  replay: string | null;
  /** Kept, empty, until it expires: a repeated write of the dead letter must not bring it back. */
  discarded_at: Date | null;
}

export interface History {
  events: Collection<EventDocument>;
  deliveries: Collection<DeliveryDocument>;
  deadLetters: Collection<DeadLetterDocument>;
}

/** The collections of the history in a database. */
export function historyOf(db: Db): History {
  return {
    events: db.collection('events'),
    deliveries: db.collection('deliveries'),
    deadLetters: db.collection('dead_letters'),
  };
}

/** Creates the indexes of the history; idempotent. A changed retention changes the TTL index in place. */
export async function ensureHistoryIndexes(db: Db, retentionSeconds: number): Promise<void> {
  const { events, deliveries, deadLetters } = historyOf(db);
  // One index serves the tenant's list, newest first, and its pages; `_id` breaks ties.
  await events.createIndex({ tenant: 1, accepted_at: -1, _id: -1 });
  await deliveries.createIndex({ tenant: 1, accepted_at: -1, _id: -1 });
  await deliveries.createIndex({ tenant: 1, event: 1 });
  // Only the held ones are in it: they are counted for their endpoint.
  await deliveries.createIndex(
    { endpoint: 1 },
    { partialFilterExpression: { 'state.status': 'held' } },
  );
  await deadLetters.createIndex({ tenant: 1, at: -1, _id: -1 });
  await deadLetters.createIndex({ tenant: 1, endpoint: 1, at: -1, _id: -1 });
  for (const collection of [events, deliveries]) {
    await ensureTtl(db, collection as unknown as Collection, 'accepted_at', retentionSeconds);
  }
  await ensureTtl(db, deadLetters as unknown as Collection, 'at', retentionSeconds);
}

async function ensureTtl(
  db: Db,
  collection: Collection,
  field: string,
  seconds: number,
): Promise<void> {
  try {
    await collection.createIndex({ [field]: 1 }, { expireAfterSeconds: seconds });
  } catch (error) {
    if ((error as { codeName?: string }).codeName !== 'IndexOptionsConflict') throw error;
    await db.command({
      collMod: collection.collectionName,
      index: { keyPattern: { [field]: 1 }, expireAfterSeconds: new Long(seconds) },
    });
  }
}

/** Connections of a process to each server of MongoDB. */
export const MONGODB_POOL_MAX = 20;

/**
 * A client that waits for a server only as long as a request may (5 s), and writes durably.
 *
 * @throws ConfigError where the URL, which is that of the settings, cannot be understood
 */
export function createMongoClient(url: string, appName: string): MongoClient {
  const options: MongoClientOptions = {
    appName,
    serverSelectionTimeoutMS: 5000,
    connectTimeoutMS: 5000,
    maxPoolSize: MONGODB_POOL_MAX,
    retryWrites: true,
    // Acknowledged once in the journal of a majority: what is acknowledged survives a crash (ADR 0005).
    writeConcern: { w: 'majority' },
    ignoreUndefined: true,
  };
  try {
    return new MongoClient(url, options);
  } catch (error) {
    // The driver may repeat the URL, which holds the password.
    const message = (error as Error).message.replaceAll(url, 'it');
    throw new ConfigError([`POSTHORN_MONGODB_URL: cannot be understood (${message})`]);
  }
}
