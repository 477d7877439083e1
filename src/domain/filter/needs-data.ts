/** The members of `data` that filters read; `all` if a filter reads `data` as a whole. */
export type DataFields = ReadonlySet<string> | 'all';

const NONE: DataFields = new Set();

/**
 * Whether a filter reads the event's `data`; if not, the router does not parse it.
 *
 * @param filter one that `validateFilter` has accepted
 */
export function filterNeedsData(filter: Record<string, unknown>): boolean {
  const fields = filterDataFields(filter);
  return fields === 'all' || fields.size > 0;
}

/**
 * The members of `data` that a filter reads; the others need not be built.
 *
 * @param filter one that `validateFilter` has accepted
 */
export function filterDataFields(filter: Record<string, unknown>): DataFields {
  return joinDataFields(
    Object.entries(filter).map(([key, value]) => {
      if (key.startsWith('$')) {
        return joinDataFields((value as Record<string, unknown>[]).map(filterDataFields));
      }
      if (key === 'data') return 'all';
      const [root, field = ''] = key.split('.', 2);
      return root === 'data' ? new Set([field]) : NONE;
    }),
  );
}

/** The union of several filters' members. */
export function joinDataFields(parts: readonly DataFields[]): DataFields {
  const joined = new Set<string>();
  for (const part of parts) {
    if (part === 'all') return 'all';
    for (const field of part) joined.add(field);
  }
  return joined;
}
