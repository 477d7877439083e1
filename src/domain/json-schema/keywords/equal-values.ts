/** Receives the number of values compared; may throw to stop. */
export type TakeSteps = (steps: number) => void;

/**
 * Whether all items differ, by JSON Schema's equality: numbers by value, objects regardless of
 * member order. Takes time in proportion to the size of the list; the validator's own check
 * compares every pair.
 */
export function hasUniqueItems(items: readonly unknown[], take: TakeSteps): boolean {
  const seen = new Set<string>();
  for (const item of items) {
    const key = canonical(item, take);
    if (seen.has(key)) return false;
    seen.add(key);
  }
  return true;
}

/**
 * Creates the test for equality with one of some values. Takes one look-up, and handles members
 * named `valueOf` or `constructor`, which the validator's own equality calls.
 */
export function equalToOneOf(
  values: readonly unknown[],
  take: TakeSteps,
): (value: unknown) => boolean {
  const scalars = new Set(values.filter((value) => !isCompound(value)));
  const compounds = new Set(
    values.filter(isCompound).map((value) => canonical(value, takeNothing)),
  );
  return (value) => {
    if (!isCompound(value)) return scalars.has(value);
    return compounds.size > 0 && compounds.has(canonical(value, take));
  };
}

function takeNothing(): void {}

function isCompound(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** A text that is the same for equal values only. */
function canonical(value: unknown, take: TakeSteps): string {
  take(1);
  if (!isCompound(value)) return JSON.stringify(value) ?? 'undefined';
  if (Array.isArray(value)) return `[${value.map((part) => canonical(part, take)).join(',')}]`;
  const members = value as Record<string, unknown>;
  const parts = Object.keys(members)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonical(members[key], take)}`);
  return `{${parts.join(',')}}`;
}
