/** Selects the index that serves the filters of a list. */
import type { ListIndex } from '#infra/mongo/history/list-indexes.ts';

/** A filter that a request gave. */
export interface ListFilter {
  /** As in `ListIndex.filters`; a filter that no index serves may have any name. */
  name: string;
  condition: object;
  /** Number of values; each is a part of an index. */
  values: number;
}

export interface ListPlan {
  index: ListIndex;
  /** Conditions that the index serves: MongoDB reads only documents that match them. */
  indexed: object[];
  /** The other conditions: documents are read to be compared with them. */
  scanned: object[];
}

/** MongoDB merges at most 200 sorted parts of an index (internalQueryMaxScansToExplode). */
const PARTS_MAX = 200;

/** The filter by tenant, which every index serves except that of all tenants. */
export const TENANT_FILTER = 'tenant_id';

/**
 * Uses the first index whose filters are all given. The last one has no filters, so there always is
 * one.
 */
export function planList(indexes: readonly ListIndex[], filters: readonly ListFilter[]): ListPlan {
  const given = new Map(filters.map((filter) => [filter.name, filter]));
  for (const index of indexes) {
    const names = given.has(TENANT_FILTER) ? [TENANT_FILTER, ...index.filters] : index.filters;
    const used = names.map((name) => given.get(name)).filter((filter) => filter !== undefined);
    if (used.length < names.length || partsOf(index, used) > PARTS_MAX) continue;
    const merged = Object.entries(index.merged ?? {}).map(([name, values]) => ({ [name]: values }));
    return {
      index,
      indexed: [...used.map(({ condition }) => condition), ...merged],
      scanned: filters.filter((each) => !used.includes(each)).map(({ condition }) => condition),
    };
  }
  throw new Error('the list has no index without filters');
}

function partsOf(index: ListIndex, used: readonly ListFilter[]): number {
  let parts = 1;
  for (const { values } of used) parts *= values;
  for (const { $in } of Object.values(index.merged ?? {})) parts *= $in.length;
  return parts;
}
