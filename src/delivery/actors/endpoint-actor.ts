/**
 * One endpoint at work (DL-2): its mailbox, its cockatiel policies, its prepared target. It takes one turn
 * for each free slot of its bulkhead; the tenant's actor gives the turns. What a turn does with a delivery:
 * `turn-runner.ts`.
 *
 * Limits: the mailbox holds what can run within 2 s, by what attempts take and by the endpoint's rate; what would
 * wait longer is parked (`parking.ts`).
 */
import { CircuitState } from 'cockatiel';
import { limits } from '#domain/limits.ts';
import type { EndpointSnapshot } from '#wire/config-snapshot.ts';
import { type EndpointDefaults, EndpointSettings } from './endpoint-settings.ts';
import { EndpointSender, type EndpointSenderDeps } from '../attempt/endpoint-sender.ts';
import { Mailbox } from './mailbox.ts';
import type { OwedDelivery } from '../intake/in-flight-delivery.ts';
import { Parking } from '../settlement/parking.ts';
import { TurnClock } from '../scheduling/latency-estimator.ts';
import { type TurnDeps, TurnRunner } from '../attempt/delivery-processor.ts';
import { WakeTimer } from '../scheduling/wake-timer.ts';

/** A mailbox that waits is looked at this often: a change of the configuration is in force then. */
const LOOK_AGAIN_MS = 1000;
/** A circuit that is not closed lets one of a lane's deliveries go in this time: the others wait in their lane. */
const PROBE_EVERY_MS = 1000;
/** What a lane brought beyond the endpoint's share stays this long: so a lane is not parked faster than about 1,000/s. */
const BEYOND_SHARE_MS = 250;
/** From here on a mailbox says that its tenant is under pressure. */
const PRESSED_LENGTH = limits.mailboxMessagesMax / 2;

export type EndpointActorDeps = EndpointDefaults & EndpointSenderDeps & TurnDeps;

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
  private readonly runner: TurnRunner;
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
    const { mailbox, settings, turns, sender } = this;
    const { settler, metrics, random } = deps;
    const { snapshot, tenantShare } = options;
    const own = { mailbox, settings, turns };
    this.parking = new Parking({ settler, metrics, random, tenantShare, ...own });
    this.runner = new TurnRunner(deps, { snapshot, settings, sender, parking: this.parking });
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
    void this.runner.run(owed).finally(() => {
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
}
