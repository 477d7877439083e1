/**
 * The order of JSON values in MongoDB (BSON comparison order): by type first (null, numbers,
 * strings, objects, arrays, booleans), then by value. Source:
 * https://www.mongodb.com/docs/manual/reference/bson-type-comparison-order/
 */

/** Types of values in their order. `other` is not JSON and equals nothing. */
export const typeRank = {
  null: 1,
  number: 2,
  string: 3,
  object: 4,
  array: 5,
  boolean: 6,
  other: 7,
};

/** The rank of a value's type among all types. */
export function rankOf(value: unknown): number {
  if (typeof value === 'number') return typeRank.number;
  if (typeof value === 'string') return typeRank.string;
  if (typeof value === 'boolean') return typeRank.boolean;
  if (typeof value !== 'object') return typeRank.other;
  if (value === null) return typeRank.null;
  return Array.isArray(value) ? typeRank.array : typeRank.object;
}

/** The remaining work of one evaluation, in values and fields. */
export interface ComparisonBudget {
  comparisonsLeft: number;
}

/**
 * Below 0, 0 or above 0, as MongoDB sorts `a` and `b`. Recursion ends when either value has no more
 * parts, so the shallower value bounds it: the filter's literal.
 */
export function compareValues(a: unknown, b: unknown, budget: ComparisonBudget): number {
  budget.comparisonsLeft--;
  const rank = rankOf(a);
  const difference = rank - rankOf(b);
  if (difference !== 0) return difference;
  switch (rank) {
    case typeRank.number:
    case typeRank.boolean:
      return Number(a) - Number(b) || 0;
    case typeRank.string:
      return compareStrings(a as string, b as string);
    case typeRank.array:
      return compareArrays(a as unknown[], b as unknown[], budget);
    case typeRank.object:
      return compareObjects(a as Record<string, unknown>, b as Record<string, unknown>, budget);
    case typeRank.null:
      return 0;
    default:
      return 1;
  }
}

/** Compares by code point, as UTF-8 bytes do; `<` compares by UTF-16 unit. */
export function compareStrings(a: string, b: string): number {
  if (a === b) return 0;
  const end = Math.min(a.length, b.length);
  for (let i = 0; i < end; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return byCodePoint(x) - byCodePoint(y);
  }
  return a.length - b.length;
}

/** Moves the surrogates, which encode the highest code points, above U+E000 to U+FFFF. */
function byCodePoint(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}

function compareArrays(a: unknown[], b: unknown[], budget: ComparisonBudget): number {
  const end = Math.min(a.length, b.length);
  for (let i = 0; i < end; i++) {
    const order = compareValues(a[i], b[i], budget);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

/** Field by field in their order: type, then name, then value. */
function compareObjects(
  a: Record<string, unknown>,
  b: Record<string, unknown>,
  budget: ComparisonBudget,
): number {
  const keysA = Object.keys(a);
  const keysB = Object.keys(b);
  // All fields of the event's object are listed, however few the literal has.
  budget.comparisonsLeft -= keysA.length;
  const end = Math.min(keysA.length, keysB.length);
  for (let i = 0; i < end; i++) {
    const keyA = keysA[i] as string;
    const keyB = keysB[i] as string;
    const order =
      rankOf(a[keyA]) - rankOf(b[keyB]) ||
      compareStrings(keyA, keyB) ||
      compareValues(a[keyA], b[keyB], budget);
    if (order !== 0) return order;
  }
  return keysA.length - keysB.length;
}
