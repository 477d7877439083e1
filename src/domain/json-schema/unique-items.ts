/**
 * Whether no two items are equal, as JSON Schema has equality: numbers by value, objects whatever the
 * order of their members. In proportion to the size of the list; the validator's own compares each with
 * each.
 *
 * @param take told the number of values looked at; may throw to stop
 */
export function hasUniqueItems(items: readonly unknown[], take: (steps: number) => void): boolean {
  const seen = new Set<string>();
  for (const item of items) {
    const key = canonical(item, take);
    if (seen.has(key)) return false;
    seen.add(key);
  }
  return true;
}

function canonical(value: unknown, take: (steps: number) => void): string {
  take(1);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'undefined';
  if (Array.isArray(value)) return `[${value.map((part) => canonical(part, take)).join(',')}]`;
  const members = value as Record<string, unknown>;
  const parts = Object.keys(members)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonical(members[key], take)}`);
  return `{${parts.join(',')}}`;
}
