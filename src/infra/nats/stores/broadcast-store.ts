/**
 * The stream BCAST: broadcast events and the progress of each. Each subject holds one message. An
 * event is stored only if its id is new: of two producers with the same id only one succeeds, until
 * the event leaves the stream. A write of progress names the sequence of the previous one, so one
 * of two concurrent writers gets a conflict.
 */
import type { JetStreamManager, StoredMsg } from '@nats-io/jetstream';
import type { Clock } from '#domain/clock.ts';
import { newId } from '#domain/ids.ts';
import type { BroadcastProgress } from '#wire/frames/broadcast.ts';
import { type EventFrame, decodeEventFrame } from '#wire/frames/event-frame.ts';
import { parseBroadcastSubject, streams, subjects } from '#wire/subjects.ts';
import { isNoneLeft, isWriteConflict } from '../api-errors.ts';
import type { Publication, Publisher } from '../publish/publisher.ts';
import { readBatch } from '../consume/read-batch.ts';

export interface StoredBroadcast {
  id: string;
  /** Its stream sequence in BCAST. */
  seq: number;
  event: EventFrame;
}

export interface StoredProgress {
  /** Expected sequence for the next write; 0: no progress is stored yet. */
  seq: number;
  progress: BroadcastProgress | undefined;
}

export interface BroadcastStoreDeps {
  publisher: Publisher;
  /** Resolved at the first use, so that control can start while NATS is down. */
  jsm: () => Promise<JetStreamManager>;
  clock: Clock;
}

export class BroadcastStore {
  private readonly deps: BroadcastStoreDeps;

  constructor(deps: BroadcastStoreDeps) {
    this.deps = deps;
  }

  /**
   * Stores an event. Resolves with false if the id exists.
   *
   * @throws PublishTimeoutError, PublishRefusedError
   */
  add(id: string, frame: Buffer, timeoutMs: number): Promise<boolean> {
    const when = { expectedSeq: 0, timeoutMs, failsWhenFull: true } as const;
    return this.write(subjects.broadcast(id), frame, when).then((seq) => seq !== undefined);
  }

  /** @throws if NATS does not answer */
  async event(id: string): Promise<StoredBroadcast | undefined> {
    const message = await this.last(subjects.broadcast(id));
    return message === undefined ? undefined : readBroadcast(message);
  }

  /**
   * Reads at most `most` events, oldest first, starting at sequence `fromSeq`.
   *
   * @throws if NATS does not answer
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

  /** @throws if NATS does not answer */
  async progress(id: string): Promise<StoredProgress> {
    const message = await this.last(subjects.broadcastProgress(id));
    if (message === undefined) return { seq: 0, progress: undefined };
    return { seq: message.seq, progress: message.json<BroadcastProgress>() };
  }

  /**
   * Resolves with the sequence to expect in the next write, or undefined if another process has
   * written since.
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
    return this.write(subjects.broadcastProgress(id), payload, { expectedSeq, timeoutMs });
  }

  private async write(
    subject: string,
    payload: Buffer,
    when: Pick<Publication, 'expectedSeq' | 'timeoutMs' | 'failsWhenFull'>,
  ): Promise<number | undefined> {
    // A new id for each write, because the publisher resends a write whose ack is late.
    const messageId = newId('bc', this.deps.clock.wallMs());
    const publication = { subject, payload, messageId, ...when };
    try {
      return (await this.deps.publisher.publishAsync(publication)).seq;
    } catch (error) {
      if (isWriteConflict(error)) return undefined;
      throw error;
    }
  }

  /** Reads from the leader: a replica may not have the write that conflicted with ours. */
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
