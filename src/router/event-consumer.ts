/**
 * Consumes the events of one shard in stream order, for the one router that owns the shard. After a
 * gap in the delivery sequence the consumer is reset (`exclusive-consumer.ts`), so an event always
 * arrives here before every later one.
 */
import type { JetStreamClient, JetStreamManager, JsMsg } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import type { Clock } from '#domain/clock.ts';
import { ExclusiveConsumer } from '#infra/nats/consume/exclusive-consumer.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { consumers, streams } from '#wire/subjects.ts';
import { InFlightEvent, type EventSource } from './in-flight-event.ts';

/** Messages requested ahead. */
const AHEAD = 512;
const DRAIN_POLL_MS = 10;

export interface EventConsumerDeps {
  nc: NatsConnection;
  js: JetStreamClient;
  jsm: JetStreamManager;
  shard: number;
  /** Whether this process owns the shard, by the clock. */
  owns: () => boolean;
  onEvent: (event: InFlightEvent) => void;
  log: Log;
  clock: Clock;
}

export class EventConsumer implements EventSource {
  private readonly deps: EventConsumerDeps;
  private readonly reader: ExclusiveConsumer;
  private readonly inFlight = new Map<number, InFlightEvent>();
  private closed = false;

  constructor(deps: EventConsumerDeps) {
    this.deps = deps;
    this.reader = new ExclusiveConsumer({
      ...deps,
      stream: streams.events(deps.shard),
      consumer: consumers.router,
      ahead: AHEAD,
      inOrder: true,
      onMessage: (message) => this.take(message),
      onDeleted: () => {},
    });
  }

  /** @throws if NATS does not answer */
  async open(): Promise<void> {
    await this.reader.open();
  }

  isOwner(): boolean {
    return !this.closed && this.deps.owns();
  }

  onEnd(event: InFlightEvent): void {
    if (this.inFlight.get(event.seq) === event) this.inFlight.delete(event.seq);
  }

  /** Stops consuming, and publishes nothing more of the events in flight. */
  close(): void {
    this.reader.stop();
    this.closed = true;
  }

  /** Stops consuming, and waits until the events in flight are routed and acked. */
  async drain(deadlineMs: number): Promise<void> {
    this.reader.stop();
    const deadline = this.deps.clock.monotonicMs() + deadlineMs;
    while (this.inFlight.size > 0 && this.deps.clock.monotonicMs() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
    }
    this.closed = true;
  }

  private take(message: JsMsg): void {
    const known = this.inFlight.get(message.seq);
    if (known !== undefined) {
      known.redelivered(message);
      return;
    }
    const event = new InFlightEvent(message, this);
    this.inFlight.set(event.seq, event);
    this.deps.onEvent(event);
  }
}
