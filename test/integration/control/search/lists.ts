import type { Db } from 'mongodb';
import { configurationOf } from '#infra/mongo/configuration.ts';
import { historyOf } from '#infra/mongo/documents.ts';
import { systemClock } from '#infra/system-clock.ts';
import { FairSearches } from '#src/control/history/fair-searches.ts';
import { TENANT_FILTER } from '#src/control/search/list-plan.ts';
import { HistoryLists } from '#src/control/search/history-lists.ts';
import type { SearchScope } from '#src/control/search/search-scope.ts';
import type { Clock } from '#domain/clock.ts';

/** The lists of a database. */
export function listsOf(
  db: Db,
  clock: Pick<Clock, 'monotonicMs'> = systemClock,
): { lists: HistoryLists } {
  const configuration = configurationOf(db);
  const searches = new FairSearches();
  return { lists: new HistoryLists({ history: historyOf(db), configuration, searches, clock }) };
}

/** The scope of one life, or of all tenants. */
export function scopeOf(life: string | undefined): SearchScope {
  if (life === undefined) return { owner: '', lives: undefined, filters: [] };
  const condition = { tenant: { $in: [life] } };
  return { owner: life, lives: [life], filters: [{ name: TENANT_FILTER, condition, values: 1 }] };
}
