/** The tenants that a search covers, and the event types that its caller may see. */
import type { Principal } from '#domain/authorization.ts';
import type { Configuration } from '#infra/mongo/configuration.ts';
import { ofVisible } from '#infra/mongo/visible-types.ts';
import type { CurrentLives } from '../lives/current-lives.ts';
import { type ListFilter, TENANT_FILTER } from './list-plan.ts';

export interface SearchScope {
  /** Whose turns it takes among the searches; also binds cursors. Empty for all tenants. */
  owner: string;
  /** Lives of the tenants; undefined: all. */
  lives: readonly string[] | undefined;
  /** Conditions for the lives, and for the event types that the caller may see. */
  filters: readonly ListFilter[];
}

export interface SearchScopesDeps {
  lives: Pick<CurrentLives, 'of' | 'find'>;
  configuration: Pick<Configuration, 'tenantPurges'>;
}

export class SearchScopes {
  private readonly deps: SearchScopesDeps;

  constructor(deps: SearchScopesDeps) {
    this.deps = deps;
  }

  /** @throws PosthornError POSTHORN_TENANT_UNKNOWN */
  async ofTenant(tenantId: string, caller: Principal): Promise<SearchScope> {
    const lifeId = await this.deps.lives.of(tenantId);
    return scopeOf([lifeId], lifeId, caller);
  }

  /** @param tenantIds filter of the request; an unknown tenant has no history */
  async ofPlatform(
    tenantIds: readonly string[] | undefined,
    caller: Principal,
  ): Promise<SearchScope> {
    if (tenantIds !== undefined) {
      const found = await Promise.all(
        [...new Set(tenantIds)].map((id) => this.deps.lives.find(id)),
      );
      const lives = found.filter((life) => life !== undefined);
      return scopeOf(lives, lives.toSorted().join(' '), caller);
    }
    // Data of ended lives may not be removed yet.
    const marks = this.deps.configuration.tenantPurges.find({}, { projection: { _id: 1 } });
    const ended = (await marks.toArray()).map(({ _id }) => _id);
    const scope = scopeOf(undefined, '', caller);
    if (ended.length === 0) return scope;
    const condition = { tenant: { $nin: ended } };
    return { ...scope, filters: [...scope.filters, { name: 'ended', condition, values: 1 }] };
  }
}

function scopeOf(
  lives: readonly string[] | undefined,
  owner: string,
  { eventTypes }: Principal,
): SearchScope {
  const filters: ListFilter[] = [];
  if (lives !== undefined) {
    const condition = { tenant: { $in: lives } };
    filters.push({ name: TENANT_FILTER, condition, values: Math.max(1, lives.length) });
  }
  if (eventTypes !== undefined) {
    filters.push({ name: 'visible', condition: ofVisible('type', eventTypes), values: 1 });
  }
  return { owner, lives, filters };
}
