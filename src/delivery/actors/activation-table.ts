import { SharedLru } from '#domain/bounds/shared-lru.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { TenantLoad } from '../lanes/tenant-demand.ts';
import type { OwedDelivery } from '../intake/in-flight-delivery.ts';
import { TenantActor, type TenantActorDeps } from './tenant-actor.ts';

const IDLE_MS = 60_000;
/**
 * With more tenants than this the idle ones go sooner: each costs about 40 KB with its connection, and one that
 * has an event a minute would never be idle for a minute.
 */
const CROWD = 1000;
const IDLE_IN_CROWD_MS = 2000;
const SWEEP_EVERY_MS = 5000;
const CIRCUITS_KEPT_MAX = 10_000;

/**
 * The tenants that are active in this worker, and their endpoints: activated by a delivery, passivated after a minute
 * without one, or sooner where tenants are many. What is idle costs nothing.
 */
export class ActivationTable {
  private readonly deps: Omit<TenantActorDeps, 'takeCircuitState'> & { log: Log };
  private readonly actors = new Map<string, TenantActor>();
  private readonly circuits = new SharedLru<unknown>({ max: CIRCUITS_KEPT_MAX });
  private sweeper: NodeJS.Timeout | undefined;

  constructor(deps: Omit<TenantActorDeps, 'takeCircuitState'> & { log: Log }) {
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
      this.sweep(performance.now() - idleMs);
    }, SWEEP_EVERY_MS);
    this.sweeper.unref();
  }

  /** What each tenant got since the last call; those that got nothing are left out. */
  takeLoads(take: (tenant: string, load: TenantLoad) => void): void {
    for (const [tenant, actor] of this.actors) {
      const load = actor.takeLoad();
      if (load !== undefined) take(tenant, load);
    }
  }

  /** Gives back what has not been started, of the tenants that `of` names. */
  handBack(of: (tenant: string) => boolean): void {
    for (const [tenant, actor] of this.actors) if (of(tenant)) actor.handBack();
  }

  /** Whether nothing is in hand of the tenants that `of` names. */
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

  deliver(owed: OwedDelivery): void {
    const actor = this.actors.get(owed.tenant) ?? this.activate(owed.tenant);
    actor.deliver(owed);
  }

  private activate(tenant: string): TenantActor {
    const actor = new TenantActor(tenant, {
      ...this.deps,
      takeCircuitState: (endpoint) => {
        const state = this.circuits.get(endpoint);
        this.circuits.delete(endpoint);
        return state;
      },
    });
    this.actors.set(tenant, actor);
    return actor;
  }

  private sweep(idleBeforeMs: number): void {
    for (const [tenant, actor] of this.actors) {
      const isGone = actor.passivate(idleBeforeMs, (endpoint, state) => {
        // Of an endpoint that was deleted nobody takes it back.
        this.circuits.set(tenant, endpoint, state);
      });
      if (isGone) this.actors.delete(tenant);
    }
  }
}
