import { SharedLru } from '#domain/bounds/shared-lru.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { TenantLoad } from '../lanes/tenant-demand.ts';
import type { InFlightDelivery } from '../intake/in-flight-delivery.ts';
import type { EndpointCircuit } from './endpoint-circuit.ts';
import { TenantActor, type TenantActorDeps } from './tenant-actor.ts';

const IDLE_MS = 60_000;
/**
 * Above this number of active tenants, idle ones are passivated sooner. Each costs about 40 KB with
 * its connection, and a tenant with one event a minute would otherwise never count as idle.
 */
const CROWD = 1000;
const IDLE_IN_CROWD_MS = 2000;
const SWEEP_EVERY_MS = 5000;
const CIRCUITS_KEPT_MAX = 10_000;

/**
 * Holds the active tenants of this worker and their endpoints. A delivery activates a tenant; a
 * minute without deliveries passivates it, sooner when there are many tenants. Idle tenants cost no
 * memory.
 */
export class ActivationTable {
  private readonly deps: Omit<TenantActorDeps, 'takeCircuit'> & { log: Log };
  private readonly actors = new Map<string, TenantActor>();
  private readonly circuits = new SharedLru<EndpointCircuit>({ max: CIRCUITS_KEPT_MAX });
  private sweeper: NodeJS.Timeout | undefined;

  constructor(deps: Omit<TenantActorDeps, 'takeCircuit'> & { log: Log }) {
    this.deps = deps;
  }

  get size(): number {
    return this.actors.size;
  }

  get mailboxLength(): number {
    let length = 0;
    for (const actor of this.actors.values()) length += actor.mailboxLength;
    return length;
  }

  get openCircuits(): number {
    let open = 0;
    for (const actor of this.actors.values()) open += actor.openCircuits;
    return open;
  }

  start(): void {
    this.sweeper = setInterval(() => {
      const idleMs = this.actors.size > CROWD ? IDLE_IN_CROWD_MS : IDLE_MS;
      this.sweep(this.deps.clock.monotonicMs() - idleMs);
    }, SWEEP_EVERY_MS);
    this.sweeper.unref();
  }

  /** Reports each tenant's load since the last call; tenants without deliveries are left out. */
  takeLoads(take: (tenant: string, load: TenantLoad) => void): void {
    for (const [tenant, actor] of this.actors) {
      const load = actor.takeLoad();
      if (load !== undefined) take(tenant, load);
    }
  }

  /** Naks the deliveries that have not started, for the tenants that `of` selects. */
  releaseUnstarted(of: (tenant: string) => boolean): void {
    for (const [tenant, actor] of this.actors) if (of(tenant)) actor.releaseUnstarted();
  }

  /** Whether the tenants that `of` selects have no delivery waiting or running. */
  isIdle(of: (tenant: string) => boolean): boolean {
    for (const [tenant, actor] of this.actors) {
      if (of(tenant) && !actor.isIdle) return false;
    }
    return true;
  }

  stop(): void {
    clearInterval(this.sweeper);
    this.sweep(Number.POSITIVE_INFINITY);
  }

  deliver(delivery: InFlightDelivery): void {
    const actor = this.actors.get(delivery.tenant) ?? this.activate(delivery.tenant);
    actor.deliver(delivery);
  }

  private activate(tenant: string): TenantActor {
    const actor = new TenantActor(tenant, {
      ...this.deps,
      takeCircuit: (endpoint) => {
        const circuit = this.circuits.get(endpoint);
        this.circuits.delete(endpoint);
        return circuit;
      },
    });
    this.actors.set(tenant, actor);
    return actor;
  }

  private sweep(idleBeforeMs: number): void {
    for (const [tenant, actor] of this.actors) {
      const isGone = actor.passivate(idleBeforeMs, (endpoint, circuit) => {
        // The circuit of a deleted endpoint is never read again; the LRU evicts it.
        this.circuits.set(tenant, endpoint, circuit);
      });
      if (isGone) this.actors.delete(tenant);
    }
  }
}
