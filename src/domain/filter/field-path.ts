import type { ComparisonBudget } from './compare-values.ts';

/**
 * How a dotted path finds values in a document, as in MongoDB: through objects by name; through an
 * array into each of its objects, and by index if the segment is a number. If the path ends at an
 * array, each element is tested, then the array itself.
 */
export interface PathSegment {
  key: string;
  /** The array index that `key` means, -1 if none. */
  index: number;
  /** `key` exists on every object (`constructor`, `__proto__`), so only own properties count. */
  inherited: boolean;
}

export type FieldPath = readonly PathSegment[];

/** Tests one value; `undefined` is a missing field. */
export type ValueTest = (value: unknown) => boolean;

/** Splits a path at its dots; a whole number is also an array index. */
export function parsePath(path: string): FieldPath {
  return path.split('.').map((key) => ({
    key,
    index: /^(0|[1-9]\d{0,8})$/.test(key) ? Number(key) : -1,
    inherited: key in Object.prototype,
  }));
}

/**
 * Whether `test` holds for any value at the path.
 *
 * @param document an object, or an array treated as an object with the keys 0, 1, …
 * @param from the first segment
 * @param intoLeaf whether an array at the end of the path is also tested by element
 * @param budget an array uses one unit for each element; without enough budget it is skipped
 */
export function someValue(
  document: object,
  path: FieldPath,
  from: number,
  intoLeaf: boolean,
  test: ValueTest,
  budget: ComparisonBudget,
): boolean {
  let current = document;
  for (let i = from; i < path.length; i++) {
    const value = member(current, path[i] as PathSegment);
    if (typeof value !== 'object' || value === null) {
      // A path that continues below a number or a string leads to a missing field.
      return test(i === path.length - 1 ? value : undefined);
    }
    if (Array.isArray(value)) return someElement(value, path, i + 1, intoLeaf, test, budget);
    current = value;
  }
  return test(current);
}

function member(document: object, segment: PathSegment): unknown {
  if (Array.isArray(document)) return segment.index < 0 ? undefined : document[segment.index];
  if (segment.inherited && !Object.hasOwn(document, segment.key)) return undefined;
  return (document as Record<string, unknown>)[segment.key];
}

function someElement(
  array: unknown[],
  path: FieldPath,
  next: number,
  intoLeaf: boolean,
  test: ValueTest,
  budget: ComparisonBudget,
): boolean {
  budget.comparisonsLeft -= array.length;
  if (budget.comparisonsLeft < 0) return false;
  const segment = path[next];
  if (segment === undefined) {
    if (intoLeaf) for (const element of array) if (test(element)) return true;
    return test(array);
  }
  for (let i = 0; i < array.length; i++) {
    const element = array[i];
    const isObject = typeof element === 'object' && element !== null;
    const isArray = isObject && Array.isArray(element);
    if (isObject && !isArray && someValue(element, path, next, intoLeaf, test, budget)) return true;
    if (i !== segment.index) continue;
    if (next === path.length - 1) {
      // An index at the end of the path names the element itself, even an array.
      if (test(element)) return true;
    } else if (isArray) {
      if (someElement(element as unknown[], path, next + 1, intoLeaf, test, budget)) return true;
    } else if (isObject && someValue(element, path, next + 1, intoLeaf, test, budget)) return true;
  }
  return false;
}
