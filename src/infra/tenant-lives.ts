import { Counter, type Registry } from 'prom-client';
import type { Clock } from '#domain/clock.ts';
import { limits } from '#domain/limits.ts';
import { lifeOf, tenantIdOf } from '#domain/tenant.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { ConfigView } from '#wire/config-snapshot.ts';

/**
 * The life of a message's tenant, compared with the configuration of this process. `ended`: a later
 * life has begun. `unborn`: the configuration is behind. `unknown`: there is no such tenant.
 */
export type LifeStatus = 'current' | 'ended' | 'unborn' | 'unknown';

const KINDS = ['event', 'delivery', 'record', 'dead_letter'] as const;
export type DroppedKind = (typeof KINDS)[number];

export interface TenantLivesDeps {
  config: Pick<ConfigView, 'currentTenant'>;
  registry: Registry;
  log: Log;
  clock: Pick<Clock, 'monotonicMs'>;
}

/**
 * Drops messages of the earlier lives of tenants. Each message is counted, and each life is
 * logged once. Messages of a life that the configuration does not have are dropped too, once this
 * process has waited `limits.unbornLifeWaitMs` for it: they would use up the consumer's window.
 *
 * Bound: remembers the last `limits.endedLivesKept` lives that it logged, and as many it waits for.
 */
export class TenantLives {
  private readonly config: Pick<ConfigView, 'currentTenant'>;
  private readonly log: Log;
  private readonly dropped: Counter<'kind'>;
  private readonly logged = new Set<string>();
  /** When each awaited life was first requested. */
  private readonly awaited = new Map<string, number>();
  private readonly now: () => number;

  constructor(deps: TenantLivesDeps) {
    this.config = deps.config;
    this.log = deps.log;
    this.now = deps.clock.monotonicMs;
    this.dropped = new Counter({
      name: 'posthorn_ended_life_dropped_total',
      help: 'Messages dropped because the life of their tenant has ended or is not known, by kind.',
      labelNames: ['kind'],
      registers: [deps.registry],
    });
    for (const kind of KINDS) this.dropped.inc({ kind }, 0);
  }

  status(lifeId: string): LifeStatus {
    const known = this.config.currentTenant(tenantIdOf(lifeId));
    if (known === undefined) return 'unknown';
    const ahead = (known.life ?? 0) - lifeOf(lifeId);
    if (ahead === 0) {
      if (this.awaited.size > 0) this.awaited.delete(lifeId);
      return 'current';
    }
    return ahead > 0 ? 'ended' : 'unborn';
  }

  /** Whether a later life has begun; if so, counts the message as dropped. */
  drops(lifeId: string, kind: DroppedKind): boolean {
    if (this.status(lifeId) !== 'ended') return false;
    this.dropped.inc({ kind });
    if (this.isNews(lifeId)) this.log.warn(facts(lifeId, kind), 'tenant_life.ended_dropped');
    return true;
  }

  /**
   * Whether the configuration still does not have the life after `limits.unbornLifeWaitMs`; if so,
   * counts the message as dropped. Call it after a read of the bucket CONFIG.
   */
  gaveUpOn(lifeId: string, kind: DroppedKind): boolean {
    if (this.status(lifeId) !== 'unborn') return false;
    const sinceMs = this.awaited.get(lifeId);
    if (sinceMs === undefined) {
      this.awaited.set(lifeId, this.now());
      const [oldest] = this.awaited.keys();
      if (this.awaited.size > limits.endedLivesKept) this.awaited.delete(oldest as string);
      return false;
    }
    if (this.now() - sinceMs < limits.unbornLifeWaitMs) return false;
    this.dropped.inc({ kind });
    if (this.isNews(lifeId)) this.log.error(facts(lifeId, kind), 'tenant_life.unknown_dropped');
    return true;
  }

  private isNews(lifeId: string): boolean {
    if (this.logged.has(lifeId)) return false;
    this.logged.add(lifeId);
    const [oldest] = this.logged;
    if (this.logged.size > limits.endedLivesKept) this.logged.delete(oldest as string);
    return true;
  }
}

function facts(lifeId: string, kind: DroppedKind): Record<string, string> {
  return { tenant_id: tenantIdOf(lifeId), life_id: lifeId, kind };
}
