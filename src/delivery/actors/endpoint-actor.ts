/**
 * Delivers to one endpoint (DL-2): owns its mailbox, its cockatiel policies and its prepared
 * target. It takes one turn for each free slot of its bulkhead; the tenant's actor grants the
 * turns. `delivery-processor.ts` runs one delivery.
 *
 * Limits: the mailbox holds as many deliveries as can start within 2 s, by the expected duration of
 * an attempt and by the endpoint's rate limit. Deliveries beyond that are parked (`parking.ts`).
 */
import { Flow } from '#domain/contention/deficit-round-robin.ts';
import { limits } from '#domain/limits.ts';
import type { EndpointSnapshot } from '#wire/config-snapshot.ts';
import type { EndpointCircuit } from './endpoint-circuit.ts';
import { type EndpointDefaults, EndpointSettings } from './endpoint-settings.ts';
import { EndpointSender, type EndpointSenderDeps } from '../attempt/endpoint-sender.ts';
import { Mailbox } from './mailbox.ts';
import type { InFlightDelivery } from '../intake/in-flight-delivery.ts';
import { Parking } from '../settlement/parking.ts';
import { LatencyEstimator } from '../scheduling/latency-estimator.ts';
import { type DeliveryProcessorDeps, DeliveryProcessor } from '../attempt/delivery-processor.ts';
import { WakeTimer } from '../scheduling/wake-timer.ts';

/** Checks the configuration this often while deliveries wait in the mailbox. */
const CHECK_EVERY_MS = 1000;
/**
 * While the circuit is not closed, one delivery from the tenant's lane starts in each such
 * interval; the others wait in the lane.
 */
const PROBE_EVERY_MS = 1000;
/**
 * How long deliveries beyond the endpoint's lane share wait before they are parked. This limits
 * parking from a lane to about 1,000/s.
 */
const EXCESS_WAIT_MS = 250;
/** Above this length a mailbox reports its tenant as under pressure. */
const PRESSURE_LENGTH = limits.mailboxMessagesMax / 2;

export type EndpointActorDeps = EndpointDefaults & EndpointSenderDeps & DeliveryProcessorDeps;

export interface EndpointActorOptions {
  tenant: string;
  endpoint: string;
  /** The endpoint's configuration at this moment. */
  snapshot: () => EndpointSnapshot | undefined;
  /** The endpoint's share of the tenant's own limit on concurrent attempts; may be below 1. */
  tenantShare: () => number;
  /** How many deliveries of the tenant's lane may wait for this endpoint. */
  laneShare: () => number;
  /** Called when a delivery is parked for lack of room, or when the mailbox is long. */
  onCongested: () => void;
  /** Called when a turn ends. */
  onTurnEnd: (actor: EndpointActor) => void;
  /**
   * Called when the endpoint may be able to run for another reason than the end of a turn: a token
   * became available, or the configuration changed.
   */
  onRunnable: (actor: EndpointActor) => void;
  /** The circuit that the endpoint's last actor left; absent: it was closed. */
  circuit: EndpointCircuit | undefined;
}

export class EndpointActor {
  readonly endpoint: string;
  /** Its places in the rings of its tenant: of all deliveries, and of high-priority ones. */
  readonly flow = new Flow<EndpointActor>(this);
  readonly highFlow = new Flow<EndpointActor>(this);
  private readonly deps: EndpointActorDeps;
  private readonly options: EndpointActorOptions;
  private readonly settings: EndpointSettings;
  private readonly mailbox = new Mailbox();
  private readonly turns: LatencyEstimator;
  private readonly parking: Parking;
  private readonly timer: WakeTimer;
  private readonly sender: EndpointSender;
  private readonly processor: DeliveryProcessor;
  /**
   * Monotonic milliseconds at which the next lane delivery may probe the circuit
   * (`PROBE_EVERY_MS`).
   */
  private nextProbeMs = 0;
  /** Monotonic milliseconds. */
  private lastUsedMs = 0;

  constructor(deps: EndpointActorDeps, options: EndpointActorOptions) {
    this.deps = deps;
    this.options = options;
    this.endpoint = options.endpoint;
    this.sender = new EndpointSender(deps, options.tenant);
    this.turns = new LatencyEstimator(deps.clock);
    this.timer = new WakeTimer(deps.clock, () => {
      this.parking.parkExcess(options.laneShare());
      this.scheduleCheck();
      options.onRunnable(this);
    });
    this.settings = new EndpointSettings(deps, deps.clock, options.circuit);
    this.settings.apply(options.snapshot());
    const { mailbox, settings, turns, sender } = this;
    const { settler, metrics, random, clock } = deps;
    const { snapshot, tenantShare } = options;
    const own = { mailbox, settings, turns };
    this.parking = new Parking({ settler, metrics, random, clock, tenantShare, ...own });
    this.processor = new DeliveryProcessor(deps, {
      snapshot,
      settings,
      sender,
      parking: this.parking,
    });
  }

  get isIdle(): boolean {
    return this.settings.bulkhead.running === 0 && this.mailbox.length === 0;
  }

  /**
   * Whether the actor can be passivated: no delivery since `beforeMs` (monotonic), and a new rate
   * limiter would not let a webhook leave sooner than this one. An infinite `beforeMs` (at
   * shutdown) ignores the rate limiter.
   */
  isIdleSince(beforeMs: number): boolean {
    if (!this.isIdle || this.lastUsedMs > beforeMs) return false;
    return beforeMs === Number.POSITIVE_INFINITY || (this.settings.limiter?.isFull ?? true);
  }

  /** A high-priority delivery waits. */
  get hasHigh(): boolean {
    return this.mailbox.hasHigh;
  }

  get mailboxLength(): number {
    return this.mailbox.length;
  }

  get canRun(): boolean {
    if (this.mailbox.length === 0) return false;
    this.settings.apply(this.options.snapshot());
    if (!this.settings.bulkhead.hasSlot) return false;
    if (this.waitsForProbe()) return false;
    return (this.settings.limiter?.waitMs(0) ?? 0) === 0;
  }

  get circuitOpen(): boolean {
    return this.settings.circuit.isOpen;
  }

  /** Puts a delivery in the mailbox, or parks it if it could not start soon. */
  deliver(delivery: InFlightDelivery): void {
    this.lastUsedMs = delivery.receivedMs;
    if (delivery.head.cancelled === true) return this.deps.settler.cancel(delivery, 'requested');
    this.settings.apply(this.options.snapshot());
    if (delivery.deliveryClass === 't') return this.keep(delivery);
    if (this.parking.parkUntilSlot(delivery)) {
      // An ordered queue waits by itself: a lane would not help it.
      if (delivery.queueHandle === undefined) this.options.onCongested();
    } else if (this.parking.parkWithoutRoom(delivery)) {
      this.options.onCongested();
    } else {
      this.keep(delivery);
      if (this.mailbox.length > PRESSURE_LENGTH) this.options.onCongested();
    }
  }

  /**
   * Puts a delivery in the mailbox. Deliveries from the tenant's lane may wait here for any time:
   * `max_ack_pending` of their consumer bounds their number.
   */
  private keep(delivery: InFlightDelivery): void {
    this.mailbox.push(delivery);
    this.scheduleCheck();
  }

  /** Starts one attempt. Call it only while `canRun` is true. */
  runNext(): void {
    const delivery = this.mailbox.shift() as InFlightDelivery;
    this.settings.limiter?.take();
    if (this.circuitOpens) this.nextProbeMs = this.deps.clock.monotonicMs() + PROBE_EVERY_MS;
    this.scheduleCheck();
    const ended = this.turns.start();
    const onEnd = (): void => {
      ended();
      this.options.onTurnEnd(this);
    };
    void this.settings.bulkhead.run(() => this.processor.run(delivery), onEnd);
  }

  /** Naks the deliveries in the mailbox, so that another worker gets them. */
  releaseUnstarted(): void {
    this.timer.stop();
    for (const delivery of this.mailbox.empty()) {
      this.deps.settler.unclaim(delivery.head);
      delivery.message.nak();
    }
  }

  /** Releases the endpoint's connections. Returns its circuit unless that is closed. */
  passivate(): EndpointCircuit | undefined {
    this.timer.stop();
    this.sender.release();
    const { circuit } = this.settings;
    return circuit.isClosed ? undefined : circuit;
  }

  /**
   * The circuit is not closed and the next probe is not due. Lane deliveries wait in the mailbox
   * then, instead of being parked.
   */
  private waitsForProbe(): boolean {
    return (
      this.circuitOpens &&
      this.mailbox.headIsOfLane &&
      this.deps.clock.monotonicMs() < this.nextProbeMs
    );
  }

  private get circuitOpens(): boolean {
    return !this.settings.circuit.isClosed;
  }

  /** While deliveries wait, schedules the next check of the rate limiter and the configuration. */
  private scheduleCheck(): void {
    if (this.mailbox.length === 0) return;
    const tokenMs = this.settings.limiter?.waitMs(0) ?? 0;
    const delayMs = tokenMs > 0 ? Math.min(Math.ceil(tokenMs), CHECK_EVERY_MS) : CHECK_EVERY_MS;
    const crowded = this.mailbox.headIsOfLane && this.mailbox.length > this.options.laneShare();
    this.timer.within(crowded ? Math.min(delayMs, EXCESS_WAIT_MS) : delayMs);
  }
}
