import type { FieldError } from '#domain/errors.ts';
import { childPointer } from '#domain/json-pointer.ts';
import { limits } from '#domain/limits.ts';

/**
 * Returns the faults of a literal in a filter: it must be JSON, of bounded depth, and without
 * operators inside, which would compare as plain names and never match.
 */
export function checkLiteral(value: unknown, pointer: string, depth = 0): FieldError[] {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return [];
  if (typeof value === 'object') return checkParts(value, pointer, depth);
  if (typeof value === 'number' && Number.isFinite(value)) return [];
  return [{ pointer, detail: 'must be a value that JSON has' }];
}

/**
 * As `checkLiteral`, for an ordering operator. Rejects objects, also in lists: MongoDB orders them
 * by the order of their fields, which JavaScript changes for numeric names.
 */
export function checkOrderLiteral(value: unknown, pointer: string): FieldError[] {
  const errors = checkLiteral(value, pointer);
  if (errors.length > 0 || !holdsObject(value)) return errors;
  const detail =
    'must not be or contain an object: compare its fields, like {"data.price.net": {"$gt": 5}}';
  return [{ pointer, detail }];
}

function holdsObject(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return !Array.isArray(value) || value.some(holdsObject);
}

/** A name that JavaScript lists before all others (ECMA-262, "array index"). */
function isArrayIndex(name: string): boolean {
  return /^(?:0|[1-9]\d{0,9})$/.test(name) && Number(name) < 2 ** 32 - 1;
}

function checkParts(value: object, pointer: string, depth: number): FieldError[] {
  if (depth >= limits.filterDepthMax) {
    const detail = `is nested too deep; ${limits.filterDepthMax} levels are allowed`;
    return [{ pointer, detail }];
  }
  const entries = Object.entries(value);
  if (entries.length > limits.filterListMax) {
    const detail = `has ${entries.length} entries; ${limits.filterListMax} are allowed`;
    return [{ pointer, detail }];
  }
  if (!Array.isArray(value)) {
    const [first, second] = entries;
    // JSON parsers move such names to the front, which changes the order that equality depends on.
    if (first !== undefined && second !== undefined && isArrayIndex(first[0])) {
      const detail =
        `has the field "${first[0]}" among others: the order of fields with numbers for names is not kept; ` +
        'compare them one by one, like {"data.rates.1": 5, "data.rates.name": "x"}';
      return [{ pointer, detail }];
    }
  }
  for (const [key, part] of entries) {
    const at = childPointer(pointer, key);
    if (!Array.isArray(value) && key.startsWith('$')) {
      const detail =
        'is an operator inside a value to compare with; conditions on parts of an object are ' +
        'written with dots, like {"data.customer.tier": {"$in": ["gold"]}}';
      return [{ pointer: at, detail }];
    }
    const errors = checkLiteral(part, at, depth + 1);
    if (errors.length > 0) return errors;
  }
  return [];
}
