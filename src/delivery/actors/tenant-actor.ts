/**
 * Delivers for one tenant (DL-1). Its first delivery activates it; it is passivated when its last
 * endpoint is. It owns the actors of its endpoints and grants them turns in rotation; the worker's
 * scheduler grants turns to tenants.
 *
 * States of an endpoint, and of the tenant with its last one: active (has deliveries or had some
 * recently) -> passivated (removed; the activation table keeps a circuit that is not closed). All
 * its state is also in JetStream, so a crash loses nothing.
 */
import type { Clock } from '#domain/clock.ts';
import { DeficitRoundRobin, Flow } from '#domain/contention/deficit-round-robin.ts';
import type { ConfigView, EndpointSnapshot, TenantSnapshot } from '#wire/config-snapshot.ts';
import type { EndpointCircuit } from './endpoint-circuit.ts';
import { EndpointActor, type EndpointActorDeps } from './endpoint-actor.ts';
import { LaneShare } from '../lanes/lane-share.ts';
import type { TenantLoad } from '../lanes/tenant-demand.ts';
import type { InFlightDelivery } from '../intake/in-flight-delivery.ts';
import type { TurnScheduler, TurnTaker } from '../scheduling/turn-scheduler.ts';

export interface TenantActorDeps {
  config: ConfigView;
  scheduler: TurnScheduler;
  clock: Clock;
  endpoint: EndpointActorDeps;
  /** Removes and returns the circuit that the endpoint's passivated actor left. */
  takeCircuit: (endpoint: string) => EndpointCircuit | undefined;
}

export class TenantActor implements TurnTaker {
  readonly tenant: string;
  private readonly deps: TenantActorDeps;
  private readonly endpoints = new Map<string, EndpointActor>();
  readonly flow: Flow<TurnTaker>;
  /**
   * Endpoints that can run, in turns of one attempt; `highRing` has those with high-priority
   * deliveries, which run first.
   */
  private readonly ring = new DeficitRoundRobin<EndpointActor>(() => 1);
  private readonly highRing = new DeficitRoundRobin<EndpointActor>(() => 1);
  private snapshot: TenantSnapshot | undefined;
  private byId = new Map<string, EndpointSnapshot>();
  private runningAttempts = 0;
  private load: TenantLoad = { received: 0, congested: 0 };
  private readonly laneShare: LaneShare;

  constructor(tenant: string, deps: TenantActorDeps) {
    this.tenant = tenant;
    this.deps = deps;
    this.flow = new Flow<TurnTaker>(this);
    this.laneShare = new LaneShare(() => this.waitingEndpoints(), deps.clock);
  }

  get weight(): number {
    return this.current()?.weight ?? 1;
  }

  get running(): number {
    return this.runningAttempts;
  }

  get hasRunnable(): boolean {
    return this.ring.size + this.highRing.size > 0 && this.runningAttempts < this.inFlightMax;
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

  deliver(delivery: InFlightDelivery): void {
    this.load.received++;
    const actor = this.endpoints.get(delivery.endpoint) ?? this.activate(delivery.endpoint);
    actor.deliver(delivery);
    this.offer(actor);
  }

  runNext(): boolean {
    if (this.runningAttempts >= this.inFlightMax) return false;
    const actor = this.takeHigh() ?? this.takeRunnable();
    if (actor === undefined) return false;
    this.runningAttempts++;
    actor.runNext();
    if (actor.canRun) this.place(actor);
    return true;
  }

  /** Load since the last call; undefined if there was none. */
  takeLoad(): TenantLoad | undefined {
    const { load } = this;
    if (load.received === 0) return undefined;
    this.load = { received: 0, congested: 0 };
    return load;
  }

  releaseUnstarted(): void {
    for (const endpoint of this.endpoints.values()) endpoint.releaseUnstarted();
  }

  /** No delivery waits or runs. */
  get isIdle(): boolean {
    for (const endpoint of this.endpoints.values()) if (!endpoint.isIdle) return false;
    return true;
  }

  /**
   * Passivates the endpoints that have been idle since `beforeMs` (monotonic). Calls `keep` with
   * each circuit that is not closed.
   *
   * @returns whether no endpoint is left
   */
  passivate(beforeMs: number, keep: (endpoint: string, circuit: EndpointCircuit) => void): boolean {
    for (const [id, actor] of this.endpoints) {
      if (!actor.isIdleSince(beforeMs)) continue;
      const circuit = actor.passivate();
      if (circuit !== undefined) keep(id, circuit);
      this.endpoints.delete(id);
    }
    return this.endpoints.size === 0;
  }

  private activate(endpoint: string): EndpointActor {
    const actor = new EndpointActor(this.deps.endpoint, {
      tenant: this.tenant,
      endpoint,
      snapshot: () => this.endpointSnapshot(endpoint),
      tenantShare: () => this.inFlightMax / Math.max(1, this.ring.size),
      // With one endpoint, its deliveries block no other endpoint.
      laneShare: () => (this.byId.size <= 1 ? Number.POSITIVE_INFINITY : this.laneShare.now()),
      onCongested: () => this.load.congested++,
      onTurnEnd: (ended) => {
        this.runningAttempts--;
        // Put the actor back in the ring before the scheduler grants the free slot to the next
        // tenant.
        this.offer(ended);
        // Endpoints that waited for the tenant's own limit.
        if (this.hasRunnable) this.deps.scheduler.ready(this);
        this.deps.scheduler.release();
      },
      onRunnable: (actor) => this.offer(actor),
      circuit: this.deps.takeCircuit(endpoint),
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
    this.ring.join(actor.flow);
    if (actor.hasHigh) this.highRing.join(actor.highFlow);
  }

  /** Removes endpoints from the ring up to the first that can run, and returns it. */
  private takeRunnable(): EndpointActor | undefined {
    for (let actor = this.ring.head; actor !== undefined; actor = this.ring.head) {
      this.ring.leave(actor.flow);
      if (actor.canRun) return actor;
    }
    return undefined;
  }

  /** The same for high-priority deliveries. */
  private takeHigh(): EndpointActor | undefined {
    for (let actor = this.highRing.head; actor !== undefined; actor = this.highRing.head) {
      this.highRing.leave(actor.highFlow);
      if (actor.hasHigh && actor.canRun) return actor;
    }
    return undefined;
  }

  private endpointSnapshot(endpoint: string): EndpointSnapshot | undefined {
    this.current();
    return this.byId.get(endpoint);
  }

  /** Concurrent requests allowed to all endpoints of the tenant together (DL-8). */
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
