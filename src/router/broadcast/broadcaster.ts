/**
 * Consumes broadcast events from BCAST, one at a time in the whole cluster, and walks each to its
 * end.
 *
 * The consumer is the lease: it delivers one message at a time, to any router, and redelivers it
 * after an ack_wait without an ack or a progress signal. The walk sends these signals. A process
 * that was paused for longer notices it by the monotonic clock and stops; if it does not, its next
 * conditional write of the progress fails.
 *
 * States of a broadcast: waiting in BCAST -> in flight here -> acked. After a failure or a shutdown
 * it is nak'ed, and the next router resumes from the stored progress.
 */
import type {
  ConsumerMessages,
  JetStreamClient,
  JetStreamManager,
  JsMsg,
} from '@nats-io/jetstream';
import { Counter, type Registry } from 'prom-client';
import type { RouterSettings } from '#config/sections.ts';
import { BroadcastStore } from '#infra/nats/stores/broadcast-store.ts';
import { consume } from '#infra/nats/consume/consume.ts';
import type { Publisher } from '#infra/nats/publish/publisher.ts';
import type { PayloadStore } from '#infra/payload-store.ts';
import { BROADCAST_ACK_WAIT_MS } from '#infra/nats/streams/streams.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { Tracing } from '#infra/telemetry/tracing.ts';
import { withTimeout } from '#infra/with-timeout.ts';
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

const RETRY_DELAY_MS = 1000;

export interface BroadcasterDeps extends Tenants {
  settings: RouterSettings;
  js: JetStreamClient;
  jsm: JetStreamManager;
  publisher: Publisher;
  payloads: PayloadStore;
  /** Broker time, milliseconds since 1970. */
  brokerNow: () => number;
  /** Resolves when this process has the current configuration. */
  catchUp: () => Promise<void>;
  registry: Registry;
  /** Absent: no spans. */
  tracing?: Tracing | undefined;
  log: Log;
  /** For tests: the consumer's ack_wait, in milliseconds. */
  ackWaitMs?: number;
  /** For tests: called after each step of a walk. */
  onStep?: (step: WalkStep) => Promise<void> | void;
}

interface InFlight {
  message: JsMsg;
  ended: Promise<void>;
  /** Monotonic milliseconds of the last progress signal to the consumer. */
  signalledMs: number;
  lost: boolean;
  stopping: AbortController;
}

export class Broadcaster implements Service {
  readonly name = 'broadcaster';
  private readonly deps: BroadcasterDeps;
  private readonly walkDeps: WalkDeps;
  private readonly ackWaitMs: number;
  private messages: ConsumerMessages | undefined;
  private inFlight: InFlight | undefined;

  constructor(deps: BroadcasterDeps) {
    this.deps = deps;
    this.ackWaitMs = deps.ackWaitMs ?? BROADCAST_ACK_WAIT_MS;
    const { settings, publisher, jsm, clock } = deps;
    const { shards, broadcastEndpointsPerSecond: endpointsPerSecond } = settings;
    const copied = new Counter({
      name: 'posthorn_broadcast_copies_total',
      help: 'Copies of broadcast events put into the streams of tenants.',
      registers: [deps.registry],
    });
    const large = new LargeEvents({ store: deps.payloads, log: deps.log });
    this.walkDeps = {
      ...deps,
      hydrate: (event, isOwner) => large.hydrate(event, isOwner),
      store: new BroadcastStore({ publisher, jsm: async () => jsm, clock }),
      copies: new Copies({ publisher, jsm, shards }),
      pace: new Pace({ jsm, shards, endpointsPerSecond, clock }),
      fanOutDelays: settings.fanOutDelays,
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
      // The pull resumes once the consumer exists again; lost messages are redelivered after
      // ack_wait.
      onDeleted: () => {},
      onPullLost: () => {},
      log: this.deps.log,
    });
  }

  /** Naks the broadcast in flight, so that another router resumes it. */
  async stop(deadlineMs: number): Promise<void> {
    this.messages?.stop();
    const { inFlight } = this;
    if (inFlight === undefined) return;
    inFlight.stopping.abort();
    await withTimeout(deadlineMs, inFlight.ended);
    inFlight.lost = true;
  }

  private take(message: JsMsg): void {
    const { inFlight } = this;
    if (inFlight === undefined) this.begin(message);
    else if (inFlight.message.seq === message.seq) {
      // Redelivered, as after a broken connection: acks and naks now answer the newest delivery.
      inFlight.message = message;
      inFlight.signalledMs = this.deps.clock.monotonicMs();
    } else message.nak(RETRY_DELAY_MS);
  }

  private begin(message: JsMsg): void {
    let event: EventFrame;
    try {
      event = decodeEventFrame(message.data);
    } catch (error) {
      // Ingress wrote it, so it is damaged: it would fail forever and block all later broadcasts.
      this.deps.log.error({ err: error, subject: message.subject }, 'broadcast.undecodable');
      message.term('undecodable');
      return;
    }
    const taken: InFlight = {
      message,
      ended: Promise.resolve(),
      signalledMs: this.deps.clock.monotonicMs(),
      lost: false,
      stopping: new AbortController(),
    };
    this.inFlight = taken;
    taken.ended = this.work(taken, event);
  }

  private async work(inFlight: InFlight, event: EventFrame): Promise<void> {
    const { log } = this.deps;
    const { seq } = inFlight.message;
    const signalling = setInterval(() => this.signalProgress(inFlight), this.ackWaitMs / 4).unref();
    const traced = new TracedWalk(this.deps.tracing, event);
    let progress: BroadcastProgress | undefined;
    try {
      await this.deps.catchUp();
      const storedMs = inFlight.message.time.getTime();
      const isOwner = (): boolean => this.isOurs(inFlight);
      const { signal } = inFlight.stopping;
      const frameFor = traced.frameFor.bind(traced);
      const broadcast = { event, frameFor, seq, storedMs, isOwner, signal };
      progress = await new Walk(this.walkDeps, broadcast).run();
      inFlight.message.ack();
      log.info({ event_id: event.head.id }, 'broadcast.ended');
    } catch (error) {
      this.release(inFlight, error as Error);
    } finally {
      clearInterval(signalling);
      traced.end(progress);
      this.inFlight = undefined;
    }
  }

  private release({ message, stopping }: InFlight, error: Error): void {
    const { log } = this.deps;
    const { seq } = message;
    // The router that overtook this one holds the broadcast; if it died, ack_wait redelivers it.
    if (error instanceof Overtaken) log.info({ seq }, 'broadcast.handed_on');
    else if (stopping.signal.aborted) message.nak();
    else {
      log.warn({ seq, error: error.message }, 'broadcast.interrupted');
      message.nak(RETRY_DELAY_MS);
    }
  }

  private signalProgress(inFlight: InFlight): void {
    if (!this.isOurs(inFlight)) return;
    inFlight.signalledMs = this.deps.clock.monotonicMs();
    inFlight.message.working();
  }

  /** False after a silence of ack_wait: the consumer may have redelivered it to another router. */
  private isOurs(inFlight: InFlight): boolean {
    if (this.deps.clock.monotonicMs() - inFlight.signalledMs > this.ackWaitMs * 0.8)
      inFlight.lost = true;
    return !inFlight.lost;
  }
}
