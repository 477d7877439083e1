/**
 * The stream BCAST: broadcast events and the progress of each. Each subject holds one message. An
 * event is stored on condition that its id is new, so of two producers with one id only one wins,
 * for as long as the stream keeps it. Progress is written on condition of the previous progress, so
 * a writer that was overtaken notices.
 */
import type { JetStreamManager, StoredMsg } from '@nats-io/jetstream';
import type { Clock } from '#domain/clock.ts';
import { newId } from '#domain/ids.ts';
import type { BroadcastProgress } from '#wire/frames/broadcast.ts';
import { type EventFrame, decodeEventFrame } from '#wire/frames/event-frame.ts';
import { parseBroadcastSubject, streams, subjects } from '#wire/subjects.ts';
import { isNoneLeft, isWriteConflict } from '../api-errors.ts';
import type { Publisher } from '../publish/publisher.ts';
import { readBatch } from '../consume/read-batch.ts';

export interface StoredBroadcast {
  id: string;
  /** Its sequence in BCAST. */
  seq: number;
  event: EventFrame;
}

export interface StoredProgress {
  /** Condition of the next write; 0: there is none yet. */
  seq: number;
  progress: BroadcastProgress | undefined;
}

export interface BroadcastStoreDeps {
  publisher: Publisher;
  /** Resolved at the first use: control starts also while NATS is down. */
  jsm: () => Promise<JetStreamManager>;
  clock: Clock;
}

export class BroadcastStore {
  private readonly deps: BroadcastStoreDeps;

  constructor(deps: BroadcastStoreDeps) {
    this.deps = deps;
  }

  /**
   * Stores an event; resolves with false where the id exists.
   *
   * @throws PublishTimeoutError, PublishRefusedError
   */
  add(id: string, frame: Buffer, timeoutMs: number): Promise<boolean> {
    return this.write(subjects.broadcast(id), frame, 0, timeoutMs).then((seq) => seq !== undefined);
  }

  /** @throws where NATS does not answer */
  async event(id: string): Promise<StoredBroadcast | undefined> {
    const message = await this.last(subjects.broadcast(id));
    return message === undefined ? undefined : readBroadcast(message);
  }

  /**
   * Reads events from a sequence of the stream on, oldest first.
   *
   * @throws where NATS does not answer
   */
  async events(fromSeq: number, most: number): Promise<StoredBroadcast[]> {
    const found: StoredBroadcast[] = [];
    const jsm = await this.deps.jsm();
    const next = { seq: fromSeq, next_by_subj: subjects.broadcasts, batch: most };
    try {
      for (const message of await readBatch(jsm, streams.broadcasts, next)) {
        found.push(readBroadcast(message));
      }
    } catch (error) {
      if (!isNoneLeft(error)) throw error;
    }
    return found;
  }

  /** @throws where NATS does not answer */
  async progress(id: string): Promise<StoredProgress> {
    const message = await this.last(subjects.broadcastProgress(id));
    if (message === undefined) return { seq: 0, progress: undefined };
    return { seq: message.seq, progress: message.json<BroadcastProgress>() };
  }

  /**
   * Resolves with the sequence for the condition of the next write; undefined where another process
   * has written since.
   *
   * @throws PublishTimeoutError, PublishRefusedError
   */
  writeProgress(
    id: string,
    progress: BroadcastProgress,
    expectedSeq: number,
    timeoutMs: number,
  ): Promise<number | undefined> {
    const payload = Buffer.from(JSON.stringify(progress));
    return this.write(subjects.broadcastProgress(id), payload, expectedSeq, timeoutMs);
  }

  private async write(
    subject: string,
    payload: Buffer,
    expectedSeq: number,
    timeoutMs: number,
  ): Promise<number | undefined> {
    // A new id for each write: it de-duplicates a write that is sent again because its ack was
    // late.
    const messageId = newId('bc', this.deps.clock.wallMs());
    const publication = { subject, payload, messageId, timeoutMs, expectedSeq };
    try {
      return (await this.deps.publisher.publishAsync(publication)).seq;
    } catch (error) {
      if (isWriteConflict(error)) return undefined;
      throw error;
    }
  }

  /** From the leader: a replica may lag behind the write that refused ours. */
  private async last(subject: string): Promise<StoredMsg | undefined> {
    const jsm = await this.deps.jsm();
    const query = { last_by_subj: subject };
    return (await jsm.streams.getMessage(streams.broadcasts, query)) ?? undefined;
  }
}

function readBroadcast(message: StoredMsg): StoredBroadcast {
  const id = parseBroadcastSubject(message.subject);
  return { id, seq: message.seq, event: decodeEventFrame(message.data) };
}
