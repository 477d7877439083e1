/**
 * One tenant at work (DL-1): activated by its first delivery, passivated when all its endpoints are. It owns the
 * actors of its endpoints and gives them turns, each in its turn; the worker's scheduler gives the tenant its own.
 *
 * States of an endpoint, and of the tenant with its last one: active (it has deliveries or had some lately) ->
 * passivated (forgotten; the state of circuits that are not closed is kept by the table). It holds nothing that is not in JetStream too, so a
 * crash loses nothing.
 */
import type { ConfigView, EndpointSnapshot, TenantSnapshot } from '#wire/config-snapshot.ts';
import { EndpointActor, type EndpointActorDeps } from './endpoint-actor.ts';
import { EndpointRing } from './endpoint-ring.ts';
import { LaneShare } from '../lanes/lane-share.ts';
import type { TenantLoad } from '../lanes/tenant-demand.ts';
import type { OwedDelivery } from '../intake/in-flight-delivery.ts';
import type { TurnScheduler, TurnTaker } from '../scheduling/turn-scheduler.ts';

export interface TenantActorDeps {
  config: ConfigView;
  scheduler: TurnScheduler;
  endpoint: EndpointActorDeps;
  /** The circuit's state of an endpoint that was passivated, once. */
  takeCircuitState: (endpoint: string) => unknown;
}

export class TenantActor implements TurnTaker {
  readonly tenant: string;
  private readonly deps: TenantActorDeps;
  private readonly endpoints = new Map<string, EndpointActor>();
  /** Those that can run, and of them those that have something of high priority: they go first. */
  private readonly ring = new EndpointRing();
  private readonly highRing = new EndpointRing();
  private snapshot: TenantSnapshot | undefined;
  private byId = new Map<string, EndpointSnapshot>();
  private runningAttempts = 0;
  private load: TenantLoad = { taken: 0, pressed: 0 };
  private readonly laneShare = new LaneShare(() => this.waitingEndpoints());

  constructor(tenant: string, deps: TenantActorDeps) {
    this.tenant = tenant;
    this.deps = deps;
  }

  get weight(): number {
    return this.current()?.weight ?? 1;
  }

  get running(): number {
    return this.runningAttempts;
  }

  get hasRunnable(): boolean {
    return this.ring.length + this.highRing.length > 0 && this.runningAttempts < this.inFlightMax;
  }

  get mailboxLength(): number {
    let length = 0;
    for (const endpoint of this.endpoints.values()) length += endpoint.mailboxLength;
    return length;
  }

  get openCircuits(): number {
    let open = 0;
    for (const endpoint of this.endpoints.values()) if (endpoint.circuitOpen) open++;
    return open;
  }

  deliver(owed: OwedDelivery): void {
    this.load.taken++;
    const actor = this.endpoints.get(owed.endpoint) ?? this.activate(owed.endpoint);
    actor.deliver(owed);
    this.offer(actor);
  }

  runNext(): boolean {
    if (this.runningAttempts >= this.inFlightMax) return false;
    const actor =
      this.highRing.take((one) => one.hasHigh && one.canRun) ?? this.ring.take((one) => one.canRun);
    if (actor === undefined) return false;
    this.runningAttempts++;
    actor.runNext();
    if (actor.canRun) this.place(actor);
    return true;
  }

  /** What happened since the last call; undefined: nothing. */
  takeLoad(): TenantLoad | undefined {
    const { load } = this;
    if (load.taken === 0) return undefined;
    this.load = { taken: 0, pressed: 0 };
    return load;
  }

  handBack(): void {
    for (const endpoint of this.endpoints.values()) endpoint.handBack();
  }

  /** Nothing is in hand. */
  get isIdle(): boolean {
    for (const endpoint of this.endpoints.values()) if (!endpoint.isIdle) return false;
    return true;
  }

  /**
   * Lets go of the endpoints that are idle since `beforeMs` (monotonic); `keep` gets the circuits worth keeping.
   *
   * @returns whether none is left
   */
  passivate(beforeMs: number, keep: (endpoint: string, circuitState: unknown) => void): boolean {
    for (const [id, actor] of this.endpoints) {
      if (!actor.isIdleSince(beforeMs)) continue;
      const state = actor.passivate();
      if (state !== undefined) keep(id, state);
      this.endpoints.delete(id);
    }
    return this.endpoints.size === 0;
  }

  private activate(endpoint: string): EndpointActor {
    const actor = new EndpointActor(this.deps.endpoint, {
      tenant: this.tenant,
      endpoint,
      snapshot: () => this.endpointSnapshot(endpoint),
      tenantShare: () => this.inFlightMax / Math.max(1, this.ring.length),
      // With one endpoint nobody stands behind it.
      laneShare: () => (this.byId.size <= 1 ? Number.POSITIVE_INFINITY : this.laneShare.now()),
      onPressed: () => this.load.pressed++,
      onTurnEnd: (ended) => {
        this.runningAttempts--;
        // First the actor may stand in the ring again, then the slot is given to whoever is next.
        this.offer(ended);
        // Those that the tenant's own limit kept waiting.
        if (this.hasRunnable) this.deps.scheduler.ready(this);
        this.deps.scheduler.release();
      },
      onRunnable: (actor) => this.offer(actor),
      circuitState: this.deps.takeCircuitState(endpoint),
    });
    this.endpoints.set(endpoint, actor);
    return actor;
  }

  private waitingEndpoints(): number {
    let waiting = 0;
    for (const endpoint of this.endpoints.values()) if (endpoint.mailboxLength > 0) waiting++;
    return waiting;
  }

  private offer(actor: EndpointActor): void {
    if (!actor.canRun) return;
    this.place(actor);
    if (this.hasRunnable) this.deps.scheduler.ready(this);
  }

  private place(actor: EndpointActor): void {
    this.ring.add(actor);
    if (actor.hasHigh) this.highRing.add(actor);
  }

  private endpointSnapshot(endpoint: string): EndpointSnapshot | undefined {
    this.current();
    return this.byId.get(endpoint);
  }

  /** Requests that may run at once to all endpoints of the tenant (DL-8). */
  private get inFlightMax(): number {
    return this.current()?.inFlightMax ?? Number.POSITIVE_INFINITY;
  }

  private current(): TenantSnapshot | undefined {
    const snapshot = this.deps.config.tenant(this.tenant);
    if (snapshot !== this.snapshot) {
      this.snapshot = snapshot;
      this.byId = new Map(snapshot?.endpoints.map((entry) => [entry.id, entry]));
    }
    return snapshot;
  }
}
