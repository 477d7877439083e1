/**
 * Projects streams to MongoDB in rounds: pulls messages, writes them as one batch, then acks them.
 * While MongoDB is unavailable the batch is retried and the messages wait in JetStream.
 *
 * A message is acked once its batch is durable. A crash before that repeats the batch, so a batch
 * must have the same effect when it is written twice.
 *
 * Bounds: `messagesMax` messages and `BYTES_MAX` bytes of each stream in memory.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { NatsConnection } from '@nats-io/nats-core';
import type { Clock } from '#domain/clock.ts';
import { BatchPull, type PulledMessage } from '#infra/nats/consume/batch-pull.ts';
import { pause, retryWhile } from '#infra/retry.ts';
import type { Service } from '#infra/service.ts';

/**
 * More than the largest event that can be configured, with its headers or with a response: a larger
 * message would never be delivered to the consumer.
 */
const BYTES_MAX = 5 * 1024 * 1024;
const RETRY_DELAYS = { firstMs: 250, maxMs: 5000 };

export interface Projection<B> {
  clock: Clock;
  /** Of the service. */
  name: string;
  nc: NatsConnection;
  /** Streams and their durable consumers. */
  sources: readonly { stream: string; consumer: string }[];
  /** Time from the start of a round to the next, while no stream has more than a round takes. */
  roundMs: number;
  /** Messages of each stream in one round. */
  messagesMax: number;
  newBatch: () => B;
  /** @throws for an undecodable message, which is never delivered again */
  add: (batch: B, message: PulledMessage) => void;
  /** Writes the batch durably; called again for the same batch after an error. */
  write: (batch: B) => Promise<void>;
  onWritten: (batch: B) => void;
  onUndecodable: (error: unknown, message: PulledMessage) => void;
  onWriteFailed: (error: unknown) => void;
}

export class BatchProjector<B> implements Service {
  readonly name: string;
  private readonly projection: Projection<B>;
  private readonly stopping = new AbortController();
  private pulls: BatchPull[] = [];
  private running: Promise<void> = Promise.resolve();
  private failingSinceMs: number | undefined;

  constructor(projection: Projection<B>) {
    this.name = projection.name;
    this.projection = projection;
  }

  /** Monotonic milliseconds since when the batch cannot be written; undefined while it can. */
  get blockedSinceMs(): number | undefined {
    return this.failingSinceMs;
  }

  async start(): Promise<void> {
    const { nc, sources } = this.projection;
    this.pulls = sources.map((source) => new BatchPull({ nc, ...source }));
    this.running = this.run();
  }

  /** Ends after the round in progress. Unacked messages are redelivered to the next projector. */
  async stop(deadlineMs: number): Promise<void> {
    this.stopping.abort();
    await Promise.race([this.running, delay(deadlineMs, undefined, { ref: false })]);
    for (const pull of this.pulls) pull.close();
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      const startedMs = this.projection.clock.monotonicMs();
      const isFull = await this.round();
      const restMs = this.projection.roundMs - (this.projection.clock.monotonicMs() - startedMs);
      if (!isFull && restMs > 0) await pause(restMs, signal);
    }
  }

  /** Returns true if a stream had more messages than one round takes. */
  private async round(): Promise<boolean> {
    const { messagesMax, newBatch } = this.projection;
    const pulled = await Promise.all(this.pulls.map((pull) => pull.pull(messagesMax, BYTES_MAX)));
    const batch = newBatch();
    const messages = pulled.flat().filter((message) => this.add(batch, message));
    if (messages.length > 0) await this.write(batch, messages);
    return pulled.some((of) => of.length === messagesMax);
  }

  private add(batch: B, message: PulledMessage): boolean {
    try {
      this.projection.add(batch, message);
      return true;
    } catch (error) {
      this.projection.onUndecodable(error, message);
      message.term('undecodable');
      return false;
    }
  }

  /** Retries until the batch is written: nothing else can be done, and waiting loses nothing. */
  private async write(batch: B, messages: PulledMessage[]): Promise<void> {
    const { write, onWritten, onWriteFailed } = this.projection;
    const written = await retryWhile(() => write(batch), {
      ...RETRY_DELAYS,
      signal: this.stopping.signal,
      onFailure: (error) => {
        this.failingSinceMs ??= this.projection.clock.monotonicMs();
        onWriteFailed(error);
        for (const message of messages) message.working();
      },
    });
    if (written === undefined) return;
    this.failingSinceMs = undefined;
    onWritten(batch);
    // The batch is durable from here on.
    for (const message of messages) message.ack();
  }
}
