import { setTimeout as delay } from 'node:timers/promises';
import type { JetStreamManager, JsMsg } from '@nats-io/jetstream';

const LOOK_EVERY_MS = 20;
const WAIT_MAX_MS = 1000;
/** Consumers that are remembered: more than a process reads at a time. */
const CONSUMERS_MAX = 1024;

/**
 * Knows when a work queue has removed what this process acked. An ack is answered by nobody; it stands in a queue of
 * its consumer's leader for a moment, and then the replicas agree on the removal. A reset of the consumer, which
 * whoever takes a shard over asks for, waits for neither: what was acked right before would be given again
 * (measured: 170 of 600 messages). Acks are taken in order, so it is enough to look for the last one.
 */
export class AckFence {
  private readonly jsm: JetStreamManager;
  /** By consumer, what was acked last. */
  private readonly last = new Map<string, { stream: string; seq: number }>();

  constructor(deps: { jsm: JetStreamManager }) {
    this.jsm = deps.jsm;
  }

  /** The message as it is to be used, so that its ack is known. */
  watch(message: JsMsg): WatchedMessage {
    return new WatchedMessage(message, this);
  }

  acked({ info: { stream, consumer }, seq }: JsMsg): void {
    const key = `${stream} ${consumer}`;
    const known = this.last.get(key);
    if (known !== undefined) {
      known.seq = seq;
      return;
    }
    if (this.last.size >= CONSUMERS_MAX) this.last.delete(this.last.keys().next().value as string);
    this.last.set(key, { stream, seq });
  }

  /** Resolves when all that was acked until now in the stream is removed; after a second in any case. */
  async pass(stream: string): Promise<void> {
    const deadlineMs = performance.now() + WAIT_MAX_MS;
    for (const [key, entry] of this.last) {
      if (entry.stream !== stream) continue;
      this.last.delete(key);
      while (performance.now() < deadlineMs && (await this.isThere(stream, entry.seq))) {
        await delay(LOOK_EVERY_MS);
      }
    }
  }

  private async isThere(stream: string, seq: number): Promise<boolean> {
    try {
      return (await this.jsm.streams.getMessage(stream, { seq })) !== null;
    } catch {
      // Nobody answers: it is as it would be without the fence, some may be given again.
      return true;
    }
  }
}

/** What a message can be told. */
class WatchedMessage {
  private readonly message: JsMsg;
  private readonly fence: AckFence;

  constructor(message: JsMsg, fence: AckFence) {
    this.message = message;
    this.fence = fence;
  }

  ack(): void {
    this.message.ack();
    this.fence.acked(this.message);
  }

  nak(delayMs?: number): void {
    this.message.nak(delayMs);
  }

  working(): void {
    this.message.working();
  }
}
