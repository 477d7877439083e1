/**
 * One endpoint at work (DL-2): its mailbox, its cockatiel policies, its prepared target. It takes one turn
 * for each free slot of its bulkhead; the tenant's actor gives the turns.
 *
 * What a turn does with a delivery, by the endpoint's state at that moment: not configured any more ->
 * cancelled; paused or disabled -> held; circuit open -> parked; else attempted and judged. Whatever happens,
 * a delivery leaves through the settler, or stays unacked and comes again.
 *
 * Limits: the mailbox holds what can run within 2 s, by what attempts take and by the endpoint's rate; what would
 * wait longer is parked (`parking.ts`).
 */
import { CircuitState, isBrokenCircuitError } from 'cockatiel';
import { limits } from '#domain/limits.ts';
import { judge } from '#domain/verdict.ts';
import type { SendResult } from '#infra/http/sender.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { Tracing } from '#infra/telemetry/tracing.ts';
import type { EndpointSnapshot } from '#wire/config-snapshot.ts';
import type { EventFrame, PayloadRef } from '#wire/event-frame.ts';
import type { OutboundEvent } from '#wire/webhook-request.ts';
import { attemptRecord } from './attempt.ts';
import type { DeliveryMetrics } from './delivery-metrics.ts';
import { type EndpointDefaults, EndpointSettings } from './endpoint-settings.ts';
import { EndpointSender, type EndpointSenderDeps } from './endpoint-sender.ts';
import type { EndpointTarget } from './endpoint-target.ts';
import type { EventFetcher } from './event-fetcher.ts';
import type { Payloads } from './payloads.ts';
import { Mailbox } from './mailbox.ts';
import { type OwedDelivery, eventFacts, keepInHand } from './owed-delivery.ts';
import { Parking } from './parking.ts';
import type { Settler } from './settle.ts';
import { tracedAttempt } from './traced-attempt.ts';
import { TurnClock } from './turn-clock.ts';
import { WakeTimer } from './wake-timer.ts';

/** A mailbox that waits is looked at this often: a change of the configuration is in force then. */
const LOOK_AGAIN_MS = 1000;
const CIRCUIT_PARK_MS = 5000;
/** A circuit that is not closed lets one of a lane's deliveries go in this time: the others wait in their lane. */
const PROBE_EVERY_MS = 1000;
/** What a lane brought beyond the endpoint's share stays this long: so a lane is not parked faster than 2,000/s. */
const BEYOND_SHARE_MS = 250;
/** From here on a mailbox says that its tenant is under pressure. */
const PRESSED_LENGTH = limits.mailboxMessagesMax / 2;
/** While others hold the memory for large payloads. */
const MEMORY_PARK_MS = 1000;
/** A delivery that waited this long in the mailbox asks for more time before it is attempted. */
const EXTEND_AFTER_MS = 10_000;

export interface EndpointActorDeps extends EndpointDefaults, EndpointSenderDeps {
  settler: Settler;
  events: EventFetcher;
  payloads: Payloads;
  metrics: DeliveryMetrics;
  /** Absent: no spans. */
  tracing?: Tracing | undefined;
  log: Log;
  worker: string;
  /** Configurations under which the receiver said 410: nothing is sent until they change. */
  gone: WeakSet<EndpointSnapshot>;
  /** Asks for a tenant's configuration unless it was asked for after `sinceMs` (monotonic). */
  refreshTenant: (tenant: string, sinceMs: number) => Promise<void>;
  /** Whether this worker still owns the tenant's shard, by the clock: asked before each attempt. */
  mayWork: (tenant: string) => boolean;
  now: () => number;
  random: () => number;
}

export interface EndpointActorOptions {
  tenant: string;
  endpoint: string;
  /** The endpoint's configuration at this moment. */
  snapshot: () => EndpointSnapshot | undefined;
  /** How many of its attempts may run at once by the tenant's own limit: its share of that, maybe less than 1. */
  tenantShare: () => number;
  /** How many deliveries of the tenant's lane may wait for this endpoint. */
  laneShare: () => number;
  /** A delivery found no room, or a long mailbox. */
  onPressed: () => void;
  /** A turn has ended. */
  onTurnEnd: (actor: EndpointActor) => void;
  /** It may have become able to run without a turn's end: a token is there, or the configuration changed. */
  onRunnable: (actor: EndpointActor) => void;
  circuitState?: unknown;
}

export class EndpointActor {
  readonly endpoint: string;
  private readonly deps: EndpointActorDeps;
  private readonly options: EndpointActorOptions;
  private readonly settings: EndpointSettings;
  private readonly mailbox = new Mailbox();
  private readonly turns = new TurnClock();
  private readonly parking: Parking;
  private readonly timer = new WakeTimer(() => {
    this.parking.beyondShare(this.options.laneShare());
    this.lookAgain();
    this.options.onRunnable(this);
  });
  private readonly sender: EndpointSender;
  /** Monotonic milliseconds; see `PROBE_EVERY_MS`. */
  private nextProbeMs = 0;
  /** Monotonic milliseconds. */
  private lastUsedMs = 0;

  constructor(deps: EndpointActorDeps, options: EndpointActorOptions) {
    this.deps = deps;
    this.options = options;
    this.endpoint = options.endpoint;
    this.sender = new EndpointSender(deps, options.tenant);
    this.settings = new EndpointSettings(deps, options.circuitState);
    this.settings.apply(options.snapshot());
    const { mailbox, settings, turns } = this;
    const { settler, metrics, random } = deps;
    const { tenantShare } = options;
    const own = { mailbox, settings, turns };
    this.parking = new Parking({ settler, metrics, random, tenantShare, ...own });
  }

  get isIdle(): boolean {
    return this.turns.running === 0 && this.mailbox.length === 0;
  }

  /**
   * Whether it can be forgotten: without a delivery since `beforeMs` (monotonic), and in a state in which no webhook
   * would leave earlier for it than its rate allows. At the end, with an infinite `beforeMs`, the rate does not count.
   */
  isIdleSince(beforeMs: number): boolean {
    if (!this.isIdle || this.lastUsedMs > beforeMs) return false;
    return beforeMs === Number.POSITIVE_INFINITY || (this.settings.limiter?.isRested ?? true);
  }

  /** Something of high priority waits. */
  get hasHigh(): boolean {
    return this.mailbox.hasHigh;
  }

  get mailboxLength(): number {
    return this.mailbox.length;
  }

  /** By the turns, not by the bulkhead's slots: a turn that still fetches its event has no slot yet. */
  get canRun(): boolean {
    if (this.mailbox.length === 0) return false;
    this.settings.apply(this.options.snapshot());
    if (this.turns.running >= this.settings.inFlightMax) return false;
    if (this.waitsForProbe()) return false;
    return (this.settings.limiter?.waitMs(0) ?? 0) === 0;
  }

  get circuitOpen(): boolean {
    return this.settings.circuit.state === CircuitState.Open;
  }

  /** Takes a delivery into the mailbox, or parks it where it could not run soon. */
  deliver(owed: OwedDelivery): void {
    this.lastUsedMs = owed.receivedMs;
    if (owed.head.cancelled === true) return this.deps.settler.cancel(owed, 'requested');
    this.settings.apply(this.options.snapshot());
    if (owed.lane === 't') return this.keep(owed);
    if (this.parking.untilSlot(owed)) {
      // A queue waits by itself: a lane would not help it.
      if (owed.place === undefined) this.options.onPressed();
    } else if (this.parking.withoutRoom(owed)) {
      this.options.onPressed();
    } else {
      this.keep(owed);
      if (this.mailbox.length > PRESSED_LENGTH) this.options.onPressed();
    }
  }

  /** What comes by the tenant's lane waits here however long: its consumer gives no more than the tenant may hold. */
  private keep(owed: OwedDelivery): void {
    this.mailbox.push(owed);
    this.lookAgain();
  }

  /** Starts one attempt. Call only where `canRun`. */
  runNext(): void {
    const owed = this.mailbox.shift() as OwedDelivery;
    this.settings.limiter?.take();
    if (this.circuitOpens) this.nextProbeMs = performance.now() + PROBE_EVERY_MS;
    this.lookAgain();
    const ended = this.turns.start();
    void this.turn(owed).finally(() => {
      ended();
      this.options.onTurnEnd(this);
    });
  }

  /** Gives what waits in the mailbox back to the stream, for another worker. */
  handBack(): void {
    this.timer.stop();
    for (const owed of this.mailbox.empty()) {
      this.deps.settler.unclaim(owed.head);
      owed.message.nak();
    }
  }

  /** Gives up its connections; returns the circuit's state where it is worth keeping. */
  passivate(): unknown {
    this.timer.stop();
    this.sender.release();
    const { circuit } = this.settings;
    return circuit.state === CircuitState.Closed ? undefined : circuit.toJSON();
  }

  /** The circuit is open or tries: what comes by a lane need not be parked, it can wait. */
  private waitsForProbe(): boolean {
    return this.circuitOpens && this.mailbox.headIsOfLane && performance.now() < this.nextProbeMs;
  }

  private get circuitOpens(): boolean {
    return this.settings.circuit.state !== CircuitState.Closed;
  }

  /** While something waits here: looks again when there is a token, and at the configuration. */
  private lookAgain(): void {
    if (this.mailbox.length === 0) return;
    const tokenMs = this.settings.limiter?.waitMs(0) ?? 0;
    const delayMs = tokenMs > 0 ? Math.min(Math.ceil(tokenMs), LOOK_AGAIN_MS) : LOOK_AGAIN_MS;
    const crowded = this.mailbox.headIsOfLane && this.mailbox.length > this.options.laneShare();
    this.timer.within(crowded ? Math.min(delayMs, BEYOND_SHARE_MS) : delayMs);
  }

  private async turn(owed: OwedDelivery): Promise<void> {
    try {
      await this.process(owed);
    } catch (error) {
      // A fault of ours, not of the receiver: the message stays unacked and is given again after a while.
      const facts = {
        tenant_id: owed.tenant,
        endpoint_id: owed.endpoint,
        delivery_id: owed.head.id,
        request_id: owed.event?.head.correlationId,
        traceparent: owed.head.trace ?? owed.event?.head.trace,
      };
      this.deps.log.error({ err: error, ...facts }, 'delivery.turn_failed');
      this.deps.settler.unclaim(owed.head);
      owed.message.nak(5000);
    }
  }

  private async process(owed: OwedDelivery): Promise<void> {
    const { settler, events } = this.deps;
    const snapshot = this.options.snapshot() ?? (await this.lookAnew(owed));
    // Its lease ran out while it was paused: another worker has the message by now.
    if (!this.deps.mayWork(owed.tenant)) return this.letGo(owed);
    this.settings.apply(snapshot);
    if (snapshot === undefined) return settler.cancel(owed, 'endpoint_deleted');
    if (snapshot.state === 'paused') return settler.hold(owed, 'endpoint_paused');
    if (snapshot.state === 'disabled' || this.deps.gone.has(snapshot)) {
      return settler.hold(owed, 'endpoint_disabled');
    }
    if (performance.now() - owed.receivedMs > EXTEND_AFTER_MS) owed.message.working();
    owed.event ??= await events.fetch(owed.tenant, owed.head.eventSeq, eventFacts(owed).id);
    if (owed.event === undefined) return settler.bury(owed, 'event_expired', undefined);
    const target = this.sender.prepare(snapshot);
    const { payload } = owed.event.head;
    if (payload === undefined) return this.attempt(owed, owed.event, target);
    return this.attemptLarge(owed, owed.event, payload, target);
  }

  /**
   * The router may know of an endpoint before this process does, and what is not configured is cancelled: so first the
   * configuration is asked for as it is since the delivery came.
   */
  private async lookAnew(owed: OwedDelivery): Promise<EndpointSnapshot | undefined> {
    await this.deps.refreshTenant(owed.tenant, owed.receivedMs);
    return this.options.snapshot();
  }

  /** Without a word to the stream, where it is somebody else's by now. */
  private letGo(owed: OwedDelivery): void {
    owed.place?.again();
    this.deps.settler.unclaim(owed.head);
  }

  private async attemptLarge(
    owed: OwedDelivery,
    event: EventFrame,
    payload: PayloadRef,
    target: EndpointTarget,
  ): Promise<void> {
    const { payloads, settler } = this.deps;
    const attached = await payloads.attach(event, payload, target.snapshot);
    if (attached.kind === 'lost') return settler.bury(owed, attached.reason, undefined);
    if (attached.kind === 'no_room') {
      return this.parking.park(owed, MEMORY_PARK_MS, 'memory');
    }
    // Reading it may have taken a part of the time in which the consumer wants an ack.
    owed.message.working();
    await this.attempt(owed, attached.event, target).finally(attached.release);
  }

  private async attempt(
    owed: OwedDelivery,
    event: OutboundEvent,
    target: EndpointTarget,
  ): Promise<void> {
    const { metrics, settler, now, random, worker, tracing } = this.deps;
    const { policies, retryPolicy } = this.settings;
    const keeper = keepInHand(owed, this.settings.timeoutMs - this.deps.timeoutMs);
    let startedMs = 0;
    let started = 0;
    let result: SendResult;
    try {
      result = await policies.execute<SendResult>(({ signal }) => {
        startedMs = now();
        started = performance.now();
        return tracedAttempt(tracing, owed, event.head, target, (traceparent) =>
          this.sender.send(target, event, startedMs, signal, traceparent),
        );
      });
    } catch (error) {
      if (!isBrokenCircuitError(error)) throw error;
      this.settings.mendCircuit(now());
      return this.parking.park(owed, CIRCUIT_PARK_MS, 'circuit');
    } finally {
      clearInterval(keeper);
    }
    const durationMs = performance.now() - started;
    const { attemptNo, firstAttemptMs = startedMs } = owed.head;
    const record = attemptRecord(attemptNo, worker, startedMs, durationMs, result);
    const ageMs = startedMs - firstAttemptMs;
    const verdict = judge(retryPolicy, attemptNo, result.outcome, random(), ageMs);
    if (verdict.kind === 'gone') this.deps.gone.add(target.snapshot);
    metrics.attempted(result.outcome, durationMs, startedMs - event.head.acceptedMs, attemptNo);
    // The shard was lost, or given up for lack of time: its new owner has the delivery in hand, and decides what follows.
    if (verdict.kind !== 'delivered' && !this.deps.mayWork(owed.tenant)) return this.letGo(owed);
    settler.attempted(owed, verdict, record, target.snapshot.url);
  }
}
