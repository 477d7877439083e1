/**
 * The documents of the history, written by the projector and read by the control API. Configuration
 * documents (tenants, endpoints, …) are in `configuration.ts`.
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
import type { AttemptFailureKind, DeliveryStatus } from '#domain/outcome/delivery.ts';
import { type AttemptDocument, attemptsOf } from './history/attempts.ts';
import { ensureListIndexes } from './history/list-indexes.ts';

/** `<life id>/<event id>`: the key of the event store (RT-7). Life ids contain no slash. */
export function eventKey(lifeId: string, eventId: string): string {
  return `${lifeId}/${eventId}`;
}

export interface EventDocument {
  /** `eventKey(tenant, id)` */
  _id: string;
  /** Life id, here and in the other documents of the history. */
  tenant: string;
  id: string;
  /** The id of the CloudEvent, if `id` is a digest of that and its source. */
  producer_id?: string;
  /** Set for an id that the caller chose, by ingress before the event is stored. */
  fingerprint?: string;
  /** Sequence in its EV stream; absent in a claim of ingress, which is not an event yet. */
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
  /** Where the `data` of a large event is stored instead. */
  payload?: PayloadRef;
  /** Number of deliveries that the router created; absent until it was routed; 0: unmatched. */
  routed?: number;
}

/**
 * The state of a delivery. Fields compare in this order, first `hop`, then `rank`. MongoDB's `$max`
 * therefore keeps the newest state, and the order in which records are applied does not matter.
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
  /** The delivery that it sends again; absent: none. */
  replay_of?: string;
  /** The job that made it; absent: none. */
  replay?: string;
  /** The number of the delivery, of a sequenced endpoint. */
  sequence?: number;
  state: DeliveryState;
  /**
   * Numbers of the attempts by attempt id: applying an attempt twice changes nothing. Each is a
   * document of its own (`AttemptDocument`). Versions before those stored the whole record here.
   */
  attempts?: Record<string, number | AttemptRecord>;
  /** Absent before the first attempt. */
  last_attempt?: LastAttempt;
}

/** The newest attempt of a delivery; compares by time, then id, as `$max` does. */
export interface LastAttempt {
  at: Date;
  id: string;
  /** HTTP status of the response. */
  status: number | null;
  /** Null: it succeeded. */
  failure: AttemptFailureKind | null;
}

/** A dead-lettered delivery, complete (DL-10). */
export interface DeadLetterDocument {
  /** Delivery id: a delivery ends once. */
  _id: string;
  tenant: string;
  event: string;
  endpoint: string;
  type: string;
  /** When it was dead-lettered. */
  at: Date;
  accepted_at: Date;
  reason: string;
  /**
   * Result of the last attempt, for example `http_503` or `timeout`; equals the reason if there
   * was no attempt.
   */
  cause: string;
  attempt_count: number;
  last_attempt: AttemptRecord | null;
  /** The event's sequence in its EV stream. */
  seq: number;
  /** The number of the delivery, of a sequenced endpoint: a replay keeps it. */
  sequence?: number;
  /**
   * The event's frame; null if the event had expired, or after the dead letter was discarded.
   */
  frame: Binary | null;
  replayed_at: Date | null;
  /** The delivery that the replay created. */
  replay: string | null;
  /**
   * When it was discarded. An empty document stays until it expires, so that a repeated write does
   * not restore the dead letter.
   */
  discarded_at: Date | null;
  /** The replay that discarded it; absent: a single request did. */
  discarded_by?: string;
}

export interface History {
  events: Collection<EventDocument>;
  deliveries: Collection<DeliveryDocument>;
  attempts: Collection<AttemptDocument>;
  deadLetters: Collection<DeadLetterDocument>;
}

/** The collections of the history in a database. */
export function historyOf(db: Db): History {
  return {
    events: db.collection('events'),
    deliveries: db.collection('deliveries'),
    attempts: attemptsOf(db),
    deadLetters: db.collection('dead_letters'),
  };
}

/**
 * Creates the indexes of the history; idempotent. A changed retention changes the TTL index in
 * place.
 */
export async function ensureHistoryIndexes(db: Db, retentionSeconds: number): Promise<void> {
  const { events, deliveries, attempts, deadLetters } = historyOf(db);
  await ensureListIndexes(db);
  // Contains only held deliveries, which are counted for their endpoint.
  await deliveries.createIndex(
    { endpoint: 1 },
    { partialFilterExpression: { 'state.status': 'held' } },
  );
  // Contains only the deliveries to sequenced endpoints.
  await deliveries.createIndex(
    { tenant: 1, endpoint: 1, sequence: 1 },
    { partialFilterExpression: { sequence: { $exists: true } } },
  );
  await deadLetters.createIndex({ tenant: 1, at: -1, _id: -1 });
  await deadLetters.createIndex({ tenant: 1, endpoint: 1, at: -1, _id: -1 });
  for (const collection of [events, deliveries, attempts]) {
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
 * Creates a client that waits for a server for at most 5 s, the time limit of a request, and writes
 * durably.
 *
 * @param caPath authorities of its own, as PEM
 * @throws ConfigError if the URL of the settings is not valid
 */
export function createMongoClient(url: string, appName: string, caPath?: string): MongoClient {
  const options: MongoClientOptions = {
    appName,
    serverSelectionTimeoutMS: 5000,
    connectTimeoutMS: 5000,
    maxPoolSize: MONGODB_POOL_MAX,
    retryWrites: true,
    // Acknowledged once it is in the journal of a majority: an acknowledged write survives a crash
    // (ADR 0005).
    writeConcern: { w: 'majority' },
    ignoreUndefined: true,
    ...(caPath !== undefined && { tlsCAFile: caPath }),
  };
  try {
    return new MongoClient(url, options);
  } catch (error) {
    // The driver may quote the URL, which contains the password.
    const message = (error as Error).message.replaceAll(url, 'it');
    throw new ConfigError([`POSTHORN_MONGODB_URL: cannot be understood (${message})`]);
  }
}
