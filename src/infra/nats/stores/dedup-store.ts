import { setTimeout as delay } from 'node:timers/promises';
import type { JetStreamManager } from '@nats-io/jetstream';
import type { Clock } from '#domain/clock.ts';
import { streams } from '#wire/subjects.ts';
import { isWriteConflict } from '../api-errors.ts';
import type { Publisher } from '../publish/publisher.ts';

/** The first event under a subject, and whether it is known to be stored (IN-7). */
export interface DedupEntry {
  id: string;
  /** When it was accepted, milliseconds since 1970. */
  atMs: number;
  stored?: true;
}

export interface StoredDedupEntry {
  event: DedupEntry;
  /** Sequence in its stream: changes are made on condition that this is still the last one. */
  seq: number;
}

const POLL_MS = 20;

/**
 * The stream DEDUP: one message for each subject, written on condition of the previous one, and
 * removed by the server when its window ends (per-message TTL; nats-server, ADR-43). Of two
 * processes that write concurrently, one wins.
 */
export class DedupStore {
  private readonly publisher: Publisher;
  private readonly jsm: JetStreamManager;
  private nextWrite = 1;
  private readonly me: string;
  private readonly clock: Clock;

  /** @param deps.me distinguishes this process from the others, and from itself before a restart */
  constructor(deps: { publisher: Publisher; jsm: JetStreamManager; me: string; clock: Clock }) {
    this.publisher = deps.publisher;
    this.jsm = deps.jsm;
    this.me = deps.me;
    this.clock = deps.clock;
  }

  /**
   * Claims the subject for `event`, unless another event claimed it after `notBeforeMs`.
   *
   * @returns the claim in force: this event's, or another's
   * @throws PublishTimeoutError, and errors of JetStream's API, if NATS does not answer by the
   *   deadline
   */
  async claim(
    subject: string,
    event: DedupEntry,
    options: { ttlSeconds: number; notBeforeMs: number; deadlineMs: number },
  ): Promise<StoredDedupEntry & { created: boolean }> {
    let expectedSeq = 0;
    for (;;) {
      const timeoutMs = options.deadlineMs - this.clock.monotonicMs();
      const seq = await this.write(subject, event, { ...options, expectedSeq, timeoutMs });
      if (seq !== undefined) return { event, seq, created: true };
      const known = await this.read(subject);
      if (known !== undefined && known.event.atMs > options.notBeforeMs) {
        return { ...known, created: false };
      }
      // The previous claim has ended and is not yet removed; or it was removed, or is being
      // written, now.
      expectedSeq = known?.seq ?? 0;
      if (known === undefined) await delay(POLL_MS);
    }
  }

  /** Marks the event as stored. A claim that another process has written since stays. */
  async markStored(
    subject: string,
    { event, seq }: StoredDedupEntry,
    options: { ttlSeconds: number; timeoutMs: number },
  ): Promise<void> {
    await this.write(subject, { ...event, stored: true }, { ...options, expectedSeq: seq });
  }

  /** Removes the claim. */
  async release({ seq }: StoredDedupEntry): Promise<void> {
    await this.jsm.streams.deleteMessage(streams.firstEvents, seq, false);
  }

  private async write(
    subject: string,
    event: DedupEntry,
    options: { ttlSeconds: number; expectedSeq: number; timeoutMs: number },
  ): Promise<number | undefined> {
    const { ttlSeconds, expectedSeq, timeoutMs } = options;
    try {
      const ack = await this.publisher.publishAsync({
        subject,
        payload: Buffer.from(JSON.stringify(event)),
        // A new id for each write: it de-duplicates a write that is sent again because its ack was
        // late.
        messageId: `${this.me}:${this.nextWrite++}`,
        timeoutMs,
        ttlSeconds,
        expectedSeq,
        failsWhenFull: true,
      });
      return ack.seq;
    } catch (error) {
      if (isWriteConflict(error)) return undefined;
      throw error;
    }
  }

  /** From the leader of the stream: a replica may lag behind the write that refused ours. */
  private async read(subject: string): Promise<StoredDedupEntry | undefined> {
    const query = { last_by_subj: subject };
    const message = await this.jsm.streams.getMessage(streams.firstEvents, query);
    if (message === null) return undefined;
    return { event: message.json<DedupEntry>(), seq: message.seq };
  }
}
