/**
 * Consumes the events of one shard in stream order, for the one router that owns the shard. After a
 * gap in the delivery sequence the consumer is reset (`exclusive-consumer.ts`), so an event always
 * arrives here before every later one.
 */
import type { JetStreamClient, JetStreamManager, JsMsg } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import type { Clock } from '#domain/clock.ts';
import { limits } from '#domain/limits.ts';
import { ExclusiveConsumer } from '#infra/nats/consume/exclusive-consumer.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { consumers, streams } from '#wire/subjects.ts';
import type { BehindStore } from '#infra/nats/stores/behind-store.ts';
import type { TenantLives } from '#infra/tenant-lives.ts';
import { type BehindShard } from './behind/behind-tenant.ts';
import { BehindTenants, LONG_TICKS } from './behind/behind-tenants.ts';
import {
  ConsumedEvent,
  type EventSource,
  type InFlightEvent,
  WORKING_EVERY_MS,
} from './in-flight-event.ts';

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
  /** Called for each event, in the order of its tenant's events. */
  onEvent: (event: InFlightEvent) => void;
  behind: BehindStore;
  lives: TenantLives;
  /** Another router wrote the shard's key of BEHIND: this consumer is closed. */
  onOvertaken: () => void;
  /** For tests: called at each step of a tenant that is behind. */
  onStep?: BehindShard['onStep'] | undefined;
  /** For tests: milliseconds between two checks for events that are in flight for long. */
  tickMs?: number | undefined;
  log: Log;
  clock: Clock;
}

export class EventConsumer implements EventSource {
  readonly restMsMax: number;
  private readonly deps: EventConsumerDeps;
  private readonly reader: ExclusiveConsumer;
  private readonly inFlight = new Map<number, ConsumedEvent>();
  private readonly behind: BehindTenants;
  private closed = false;

  constructor(deps: EventConsumerDeps) {
    this.deps = deps;
    this.restMsMax = LONG_TICKS * (deps.tickMs ?? WORKING_EVERY_MS);
    this.reader = new ExclusiveConsumer({
      ...deps,
      stream: streams.events(deps.shard),
      consumer: consumers.router,
      ahead: AHEAD,
      inOrder: true,
      onMessage: (message) => this.take(message),
      onDeleted: () => {},
    });
    this.behind = new BehindTenants({
      ...deps,
      store: deps.behind,
      isOwner: () => this.isOwner(),
      route: deps.onEvent,
      inFlight: () => this.inFlight.values(),
      onOvertaken: () => {
        this.close();
        deps.onOvertaken();
      },
    });
  }

  /** @throws if NATS does not answer */
  async open(): Promise<void> {
    const { jsm, shard } = this.deps;
    const { config } = await jsm.consumers.info(streams.events(shard), consumers.router);
    await this.behind.open(config.max_ack_pending ?? limits.routerWindowMax);
    await this.reader.open();
  }

  isOwner(): boolean {
    return !this.closed && this.deps.owns();
  }

  onEnd(event: ConsumedEvent, delayMs?: number): void {
    if (this.inFlight.get(event.seq) === event) this.inFlight.delete(event.seq);
    this.behind.onEnd(event, delayMs);
  }

  /** Stops consuming, and publishes nothing more of the events in flight. */
  close(): void {
    this.reader.stop();
    this.closed = true;
    this.behind.close();
  }

  /** Stops consuming, and waits until the events in flight are routed and acked. */
  async drain(deadlineMs: number): Promise<void> {
    this.reader.stop();
    this.behind.stop();
    const deadline = this.deps.clock.monotonicMs() + deadlineMs;
    while (!this.isQuiet() && this.deps.clock.monotonicMs() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
    }
    await this.behind.saveLast();
    this.closed = true;
  }

  private isQuiet(): boolean {
    return this.inFlight.size === 0 && this.behind.isQuiet;
  }

  private take(message: JsMsg): void {
    const known = this.inFlight.get(message.seq);
    if (known !== undefined) {
      known.redelivered(message);
      return;
    }
    const event = new ConsumedEvent(message, this);
    this.inFlight.set(event.seq, event);
    this.behind.take(event);
  }
}
