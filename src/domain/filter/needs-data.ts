/** The members of `data` that filters look at; `all` where one looks at `data` as a whole. */
export type DataFields = ReadonlySet<string> | 'all';

const NONE: DataFields = new Set();

/**
 * Whether a filter looks at the event's `data`: where it does not, the router need not parse it.
 *
 * @param filter one that `validateFilter` has accepted
 */
export function filterNeedsData(filter: Record<string, unknown>): boolean {
  const fields = filterDataFields(filter);
  return fields === 'all' || fields.size > 0;
}

/**
 * The members of `data` that a filter looks at, so that the others need not be built.
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

/** What any of them looks at. */
export function joinDataFields(parts: readonly DataFields[]): DataFields {
  const joined = new Set<string>();
  for (const part of parts) {
    if (part === 'all') return 'all';
    for (const field of part) joined.add(field);
  }
  return joined;
}
