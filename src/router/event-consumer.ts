/**
 * The events of one shard, in the order of their stream, for the one router that owns it: what is behind a gap comes
 * again after the gap is filled (`sole-reader.ts`), so an event is seen here before every later one.
 */
import type { JetStreamClient, JetStreamManager, JsMsg } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import { SoleReader } from '#infra/nats/consume/exclusive-consumer.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { consumers, streams } from '#wire/subjects.ts';
import { EventInHand, type EventSource } from './in-flight-event.ts';

/** Messages asked for ahead. */
const AHEAD = 512;
const DRAIN_POLL_MS = 10;

export interface EventTapDeps {
  nc: NatsConnection;
  js: JetStreamClient;
  jsm: JetStreamManager;
  shard: number;
  /** Whether this process owns the shard, by the clock. */
  owns: () => boolean;
  onEvent: (event: EventInHand) => void;
  log: Log;
}

export class EventTap implements EventSource {
  private readonly deps: EventTapDeps;
  private readonly reader: SoleReader;
  private readonly inHand = new Map<number, EventInHand>();
  private closed = false;

  constructor(deps: EventTapDeps) {
    this.deps = deps;
    this.reader = new SoleReader({
      ...deps,
      stream: streams.events(deps.shard),
      consumer: consumers.router,
      ahead: AHEAD,
      inOrder: true,
      onMessage: (message) => this.take(message),
      onDeleted: () => {},
    });
  }

  /** @throws where NATS does not answer */
  async open(): Promise<void> {
    await this.reader.open();
  }

  mayWork(): boolean {
    return !this.closed && this.deps.owns();
  }

  onEnd(event: EventInHand): void {
    if (this.inHand.get(event.seq) === event) this.inHand.delete(event.seq);
  }

  /** Takes no more, and publishes no more of what is in hand. */
  close(): void {
    this.reader.stop();
    this.closed = true;
  }

  /** Takes no more, and waits until what is in hand is routed and acked. */
  async drain(deadlineMs: number): Promise<void> {
    this.reader.stop();
    const deadline = performance.now() + deadlineMs;
    while (this.inHand.size > 0 && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
    }
    this.closed = true;
  }

  private take(message: JsMsg): void {
    const known = this.inHand.get(message.seq);
    if (known !== undefined) {
      known.givenAgain(message);
      return;
    }
    const event = new EventInHand(message, this);
    this.inHand.set(event.seq, event);
    this.deps.onEvent(event);
  }
}
