/**
 * The stream SEQ: the numbers of the deliveries to sequenced endpoints (DL-23), one message for
 * each number under the subject of its endpoint. A number is written on condition of the one
 * before, so two routers never give the same one.
 *
 * All reads go to the leader of the stream: a lagging replica could hide the last number.
 */
import type { JetStreamManager, StoredMsg } from '@nats-io/jetstream';
import { newId } from '#domain/ids.ts';
import { streams, subjects } from '#wire/subjects.ts';
import { isWriteConflict } from '../api-errors.ts';
import type { Publisher } from '../publish/publisher.ts';

/**
 * Where an event is in its tenant's stream: when it was stored, then its sequence. Only for
 * comparison; the times of two brokers may differ.
 */
export interface EventPlace {
  storedMs: number;
  seq: number;
}

/** A number that was given. */
export interface SequenceEntry {
  sequence: number;
  /** Delivery id. */
  delivery: string;
  /** Event id. */
  event: string;
  /** The latest place of the events with this number or a lower one. */
  latest: EventPlace;
}

export interface StoredSequenceEntry {
  entry: SequenceEntry;
  /** Sequence of the message in SEQ: the condition of the next write. */
  seq: number;
}

/** The stored form. */
interface StoredEntry {
  n: number;
  d: string;
  e: string;
  /** `latest`: milliseconds, then sequence. */
  l: [number, number];
}

const WRITE_TIMEOUT_MS = 5000;

/** Compares two places: negative if the first event is earlier. */
export function comparePlaces(a: EventPlace, b: EventPlace): number {
  return a.storedMs - b.storedMs || a.seq - b.seq;
}

export class SequenceStore {
  private readonly publisher: Pick<Publisher, 'publishAsync'>;
  private readonly jsm: () => Promise<JetStreamManager>;
  private readonly now: () => number;

  constructor(deps: {
    publisher: Pick<Publisher, 'publishAsync'>;
    jsm: () => Promise<JetStreamManager>;
    now: () => number;
  }) {
    this.publisher = deps.publisher;
    this.jsm = deps.jsm;
    this.now = deps.now;
  }

  /**
   * Writes the next number of an endpoint. Resolves with the sequence of its message; undefined if
   * another number was written since `expectedSeq`.
   *
   * @param expectedSeq of the message with the number before; 0: there is none
   * @throws PublishTimeoutError, after which the number may be stored or not; PublishRefusedError
   */
  async append(
    tenant: string,
    endpoint: string,
    { sequence, delivery, event, latest }: SequenceEntry,
    expectedSeq: number,
  ): Promise<number | undefined> {
    const stored: StoredEntry = {
      n: sequence,
      d: delivery,
      e: event,
      l: [latest.storedMs, latest.seq],
    };
    try {
      const ack = await this.publisher.publishAsync({
        subject: subjects.sequence(tenant, endpoint),
        payload: Buffer.from(JSON.stringify(stored)),
        // A new id for each write: it de-duplicates a write that is sent again because its ack was
        // late.
        messageId: newId('seq', this.now()),
        timeoutMs: WRITE_TIMEOUT_MS,
        expectedSeq,
      });
      return ack.seq;
    } catch (error) {
      if (isWriteConflict(error)) return undefined;
      throw error;
    }
  }

  /**
   * The last number of an endpoint; undefined: none was given yet.
   *
   * @throws if NATS does not answer
   */
  last(tenant: string, endpoint: string): Promise<StoredSequenceEntry | undefined> {
    return this.read({ last_by_subj: subjects.sequence(tenant, endpoint) });
  }

  /**
   * The first number of an endpoint whose message has this sequence in SEQ or a later one.
   *
   * @throws if NATS does not answer
   */
  from(tenant: string, endpoint: string, seq: number): Promise<StoredSequenceEntry | undefined> {
    return this.read({ seq, next_by_subj: subjects.sequence(tenant, endpoint) });
  }

  /**
   * Removes the numbers of an endpoint that was deleted.
   *
   * @throws if NATS does not answer
   */
  async forget(tenant: string, endpoint: string): Promise<void> {
    const jsm = await this.jsm();
    const filter = subjects.sequence(tenant, endpoint);
    await jsm.streams.purge(streams.sequences, { filter });
  }

  private async read(
    query: { last_by_subj: string } | { seq: number; next_by_subj: string },
  ): Promise<StoredSequenceEntry | undefined> {
    const jsm = await this.jsm();
    const message = await jsm.streams.getMessage(streams.sequences, query);
    return message === null ? undefined : decode(message);
  }
}

function decode(message: StoredMsg): StoredSequenceEntry {
  const { n, d, e, l } = message.json<StoredEntry>();
  const [storedMs, seq] = l;
  return {
    entry: { sequence: n, delivery: d, event: e, latest: { storedMs, seq } },
    seq: message.seq,
  };
}

/**
 * Finds the first number of an endpoint that fulfils a condition which, once fulfilled, holds for
 * all later numbers. Takes as many reads as the logarithm of the span.
 *
 * @param last a number that fulfils it
 */
export async function findFirst(
  store: Pick<SequenceStore, 'from'>,
  where: { tenant: string; endpoint: string },
  last: StoredSequenceEntry,
  fulfils: (entry: SequenceEntry) => boolean,
): Promise<StoredSequenceEntry> {
  let found = last;
  let low = 1;
  // Messages of the endpoint before `low` do not fulfil it; those from `found` on do.
  for (let high = last.seq - 1; low <= high;) {
    const middle = low + Math.floor((high - low) / 2);
    const read = await store.from(where.tenant, where.endpoint, middle);
    if (read === undefined || read.seq >= found.seq) {
      high = middle - 1;
    } else if (fulfils(read.entry)) {
      found = read;
      high = middle - 1;
    } else {
      low = read.seq + 1;
    }
  }
  return found;
}
