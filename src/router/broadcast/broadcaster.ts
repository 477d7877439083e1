/**
 * Takes broadcast events from BCAST, one at a time in the whole cluster, and walks each to its end.
 *
 * The consumer is the lease: it gives out one message at a time, to any router, and gives it again when it has heard
 * nothing for its ack_wait. While the walk goes on it is told so; a process that was stopped for longer sees that by
 * the monotonic clock and goes no further, and the progress, written on condition, keeps out whoever did not see it.
 *
 * A broadcast is: waiting in BCAST -> in hand here -> acked; or given back, where something failed or this process
 * stops, and then gone on with where it was.
 */
import type {
  ConsumerMessages,
  JetStreamClient,
  JetStreamManager,
  JsMsg,
} from '@nats-io/jetstream';
import { Counter, type Registry } from 'prom-client';
import type { Settings } from '#config/schema.ts';
import { parseFanOutDelays } from '#domain/event/fan-out-delay.ts';
import { BroadcastStore } from '#infra/nats/stores/broadcast-store.ts';
import { consume } from '#infra/nats/consume/consume.ts';
import type { Publisher } from '#infra/nats/publish/publisher.ts';
import type { PayloadStore } from '#infra/payload-store.ts';
import { BROADCAST_ACK_WAIT_MS } from '#infra/nats/streams/streams.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { Tracing } from '#infra/telemetry/tracing.ts';
import { within } from '#infra/within.ts';
import type { Service } from '#infra/service.ts';
import type { BroadcastProgress } from '#wire/frames/broadcast.ts';
import { type EventFrame, decodeEventFrame } from '#wire/frames/event-frame.ts';
import { consumers, streams } from '#wire/subjects.ts';
import { LargeEvents } from '../large-events.ts';
import { Copies } from './copies.ts';
import { Pace } from './pace.ts';
import type { Tenants } from './plan.ts';
import { TracedWalk } from './traced-walk.ts';
import { Overtaken, Walk, type WalkDeps, type WalkStep } from './walk.ts';

const AGAIN_AFTER_MS = 1000;

export interface BroadcasterDeps extends Tenants {
  settings: Settings;
  js: JetStreamClient;
  jsm: JetStreamManager;
  publisher: Publisher;
  payloads: PayloadStore;
  /** The time by the brokers' clock, milliseconds since 1970. */
  brokerNow: () => number;
  /** Resolves when this process knows the configuration as it is now. */
  catchUp: () => Promise<void>;
  registry: Registry;
  /** Absent: no spans. */
  tracing?: Tracing | undefined;
  log: Log;
  /** For tests: how long the consumer waits before it gives a broadcast to somebody else. */
  ackWaitMs?: number;
  /** For tests: called after each step of a walk. */
  onStep?: (step: WalkStep) => Promise<void> | void;
}

interface InHand {
  message: JsMsg;
  ended: Promise<void>;
  /** Monotonic: when the consumer was last told that the walk goes on. */
  toldMs: number;
  lost: boolean;
  stopping: AbortController;
}

export class Broadcaster implements Service {
  readonly name = 'broadcaster';
  private readonly deps: BroadcasterDeps;
  private readonly walkDeps: WalkDeps;
  private readonly ackWaitMs: number;
  private messages: ConsumerMessages | undefined;
  private inHand: InHand | undefined;

  constructor(deps: BroadcasterDeps) {
    this.deps = deps;
    this.ackWaitMs = deps.ackWaitMs ?? BROADCAST_ACK_WAIT_MS;
    const { settings, publisher, jsm } = deps;
    const shards = settings.POSTHORN_SHARDS;
    const endpointsPerSecond = settings.POSTHORN_BROADCAST_ENDPOINTS_PER_SECOND;
    const copied = new Counter({
      name: 'posthorn_broadcast_copies_total',
      help: 'Copies of broadcast events put into the streams of tenants.',
      registers: [deps.registry],
    });
    const large = new LargeEvents({ store: deps.payloads, log: deps.log });
    this.walkDeps = {
      ...deps,
      whole: (event, mayGoOn) => large.whole(event, mayGoOn),
      store: new BroadcastStore({ publisher, jsm: async () => jsm }),
      copies: new Copies({ publisher, jsm, shards }),
      pace: new Pace({ jsm, shards, endpointsPerSecond }),
      fanOutDelays: parseFanOutDelays(settings.POSTHORN_FANOUT_DELAYS_SECONDS),
      now: deps.brokerNow,
      onCopied: () => copied.inc(),
      onStep: deps.onStep ?? (() => {}),
    };
  }

  async start(): Promise<void> {
    this.messages = await consume({
      js: this.deps.js,
      stream: streams.broadcasts,
      consumer: consumers.broadcaster,
      ahead: 1,
      onMessage: (message) => this.take(message),
      // The pull goes on once the consumer is made again; what was lost on its way comes after the ack_wait.
      onDeleted: () => {},
      onPullLost: () => {},
      log: this.deps.log,
    });
  }

  /** Gives what is in hand back, for another router to go on with. */
  async stop(deadlineMs: number): Promise<void> {
    this.messages?.stop();
    const { inHand } = this;
    if (inHand === undefined) return;
    inHand.stopping.abort();
    await within(deadlineMs, inHand.ended);
    inHand.lost = true;
  }

  private take(message: JsMsg): void {
    const { inHand } = this;
    if (inHand === undefined) this.begin(message);
    else if (inHand.message.seq === message.seq) {
      // Given again, as after a broken connection: what is said from now on answers the newest.
      inHand.message = message;
      inHand.toldMs = performance.now();
    } else message.nak(AGAIN_AFTER_MS);
  }

  private begin(message: JsMsg): void {
    let event: EventFrame;
    try {
      event = decodeEventFrame(message.data);
    } catch (error) {
      // Ingress wrote it, so it is damaged: it would fail for ever, and hold up all that are behind it.
      this.deps.log.error({ err: error, subject: message.subject }, 'broadcast.undecodable');
      message.term('undecodable');
      return;
    }
    const taken: InHand = {
      message,
      ended: Promise.resolve(),
      toldMs: performance.now(),
      lost: false,
      stopping: new AbortController(),
    };
    this.inHand = taken;
    taken.ended = this.work(taken, event);
  }

  private async work(inHand: InHand, event: EventFrame): Promise<void> {
    const { log } = this.deps;
    const { seq } = inHand.message;
    const telling = setInterval(() => this.tell(inHand), this.ackWaitMs / 4).unref();
    const traced = new TracedWalk(this.deps.tracing, event);
    let progress: BroadcastProgress | undefined;
    try {
      await this.deps.catchUp();
      const storedMs = inHand.message.time.getTime();
      const mayGoOn = (): boolean => this.isOurs(inHand);
      const { signal } = inHand.stopping;
      const frameFor = traced.frameFor.bind(traced);
      const broadcast = { event, frameFor, seq, storedMs, mayGoOn, signal };
      progress = await new Walk(this.walkDeps, broadcast).run();
      inHand.message.ack();
      log.info({ event_id: event.head.id }, 'broadcast.ended');
    } catch (error) {
      this.giveBack(inHand, error as Error);
    } finally {
      clearInterval(telling);
      traced.end(progress);
      this.inHand = undefined;
    }
  }

  private giveBack({ message, stopping }: InHand, error: Error): void {
    const { log } = this.deps;
    const { seq } = message;
    // Whoever overtook us has it in hand; where nobody does, it comes again by itself.
    if (error instanceof Overtaken) log.info({ seq }, 'broadcast.handed_on');
    else if (stopping.signal.aborted) message.nak();
    else {
      log.warn({ seq, error: error.message }, 'broadcast.interrupted');
      message.nak(AGAIN_AFTER_MS);
    }
  }

  private tell(inHand: InHand): void {
    if (!this.isOurs(inHand)) return;
    inHand.toldMs = performance.now();
    inHand.message.working();
  }

  /** Not after a silence in which the consumer may have given it to somebody else. */
  private isOurs(inHand: InHand): boolean {
    if (performance.now() - inHand.toldMs > this.ackWaitMs * 0.8) inHand.lost = true;
    return !inHand.lost;
  }
}
