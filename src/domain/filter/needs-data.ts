/**
 * Whether a filter looks at the event's `data`: where it does not, the router need not parse it.
 *
 * @param filter one that `validateFilter` has accepted
 */
export function filterNeedsData(filter: Record<string, unknown>): boolean {
  return Object.entries(filter).some(([key, value]) =>
    key.startsWith('$')
      ? (value as Record<string, unknown>[]).some(filterNeedsData)
      : key === 'data' || key.startsWith('data.'),
  );
}
