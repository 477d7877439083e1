import { Counter, type Registry } from 'prom-client';
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

/**
 * Drops messages of the earlier lives of tenants. Each message is counted, and each life is
 * logged once.
 *
 * Bound: remembers the last `limits.endedLivesKept` lives that it logged.
 */
export class TenantLives {
  private readonly config: Pick<ConfigView, 'currentTenant'>;
  private readonly log: Log;
  private readonly dropped: Counter<'kind'>;
  private readonly logged = new Set<string>();

  constructor(deps: { config: Pick<ConfigView, 'currentTenant'>; registry: Registry; log: Log }) {
    this.config = deps.config;
    this.log = deps.log;
    this.dropped = new Counter({
      name: 'posthorn_ended_life_dropped_total',
      help: 'Messages dropped because their tenant was deleted and created again, by kind.',
      labelNames: ['kind'],
      registers: [deps.registry],
    });
    for (const kind of KINDS) this.dropped.inc({ kind }, 0);
  }

  status(lifeId: string): LifeStatus {
    const known = this.config.currentTenant(tenantIdOf(lifeId));
    if (known === undefined) return 'unknown';
    const ahead = (known.life ?? 0) - lifeOf(lifeId);
    if (ahead === 0) return 'current';
    return ahead > 0 ? 'ended' : 'unborn';
  }

  /** Whether a later life has begun; if so, counts the message as dropped. */
  drops(lifeId: string, kind: DroppedKind): boolean {
    if (this.status(lifeId) !== 'ended') return false;
    this.dropped.inc({ kind });
    if (this.logged.has(lifeId)) return true;
    this.logged.add(lifeId);
    const [oldest] = this.logged;
    if (this.logged.size > limits.endedLivesKept) this.logged.delete(oldest as string);
    const facts = { tenant_id: tenantIdOf(lifeId), life_id: lifeId, kind };
    this.log.warn(facts, 'tenant_life.ended_dropped');
    return true;
  }
}
