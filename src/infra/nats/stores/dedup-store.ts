import { setTimeout as delay } from 'node:timers/promises';
import type { JetStreamManager } from '@nats-io/jetstream';
import { streams } from '#wire/subjects.ts';
import { isLostWrite } from '../api-errors.ts';
import type { Publisher } from '../publish/publisher.ts';

/** Which event was the first under a formula, and whether it is known to be stored (IN-7). */
export interface FirstEvent {
  id: string;
  /** When it was accepted, milliseconds since 1970. */
  atMs: number;
  stored?: true;
}

export interface HeldFirstEvent {
  event: FirstEvent;
  /** Sequence in its stream: changes are made on the condition that it is still this. */
  seq: number;
}

const LOOK_AGAIN_MS = 20;

/**
 * The stream DEDUP: one message under each subject, written on condition of the one before, gone by itself when its
 * time is over (per-message TTL; nats-server, ADR-43). Two processes that write at once: one of them wins.
 */
export class FirstEvents {
  private readonly publisher: Publisher;
  private readonly jsm: JetStreamManager;
  private nextWrite = 1;
  private readonly me: string;

  /** @param deps.me tells this process from the others, and from itself before a restart */
  constructor(deps: { publisher: Publisher; jsm: JetStreamManager; me: string }) {
    this.publisher = deps.publisher;
    this.jsm = deps.jsm;
    this.me = deps.me;
  }

  /**
   * Makes `event` the first under the subject unless there is one that was accepted after `notBeforeMs`.
   *
   * @returns what holds now: the event that was given, or another's
   * @throws PublishTimeoutError, and what JetStream's API throws, where NATS does not answer by the deadline
   */
  async hold(
    subject: string,
    event: FirstEvent,
    options: { ttlSeconds: number; notBeforeMs: number; deadlineMs: number },
  ): Promise<HeldFirstEvent & { created: boolean }> {
    let expectedSeq = 0;
    for (;;) {
      const timeoutMs = options.deadlineMs - performance.now();
      const seq = await this.write(subject, event, { ...options, expectedSeq, timeoutMs });
      if (seq !== undefined) return { event, seq, created: true };
      const known = await this.read(subject);
      if (known !== undefined && known.event.atMs > options.notBeforeMs) {
        return { ...known, created: false };
      }
      // It is over, and not yet removed; or it went, or is being written, at this moment.
      expectedSeq = known?.seq ?? 0;
      if (known === undefined) await delay(LOOK_AGAIN_MS);
    }
  }

  /** Says that the event is stored. What somebody else wrote meanwhile stays. */
  async markStored(
    subject: string,
    { event, seq }: HeldFirstEvent,
    options: { ttlSeconds: number; timeoutMs: number },
  ): Promise<void> {
    await this.write(subject, { ...event, stored: true }, { ...options, expectedSeq: seq });
  }

  /** Takes back what `hold` wrote. */
  async release({ seq }: HeldFirstEvent): Promise<void> {
    await this.jsm.streams.deleteMessage(streams.firstEvents, seq, false);
  }

  private async write(
    subject: string,
    event: FirstEvent,
    options: { ttlSeconds: number; expectedSeq: number; timeoutMs: number },
  ): Promise<number | undefined> {
    const { ttlSeconds, expectedSeq, timeoutMs } = options;
    try {
      const ack = await this.publisher.publishAsync({
        subject,
        payload: Buffer.from(JSON.stringify(event)),
        // Of each write its own: it makes one of what is sent again because its ack was late.
        messageId: `${this.me}:${this.nextWrite++}`,
        timeoutMs,
        ttlSeconds,
        expectedSeq,
      });
      return ack.seq;
    } catch (error) {
      if (isLostWrite(error)) return undefined;
      throw error;
    }
  }

  /** From the leader of the stream: a replica may be behind what refused our write. */
  private async read(subject: string): Promise<HeldFirstEvent | undefined> {
    const query = { last_by_subj: subject };
    const message = await this.jsm.streams.getMessage(streams.firstEvents, query);
    if (message === null) return undefined;
    return { event: message.json<FirstEvent>(), seq: message.seq };
  }
}
