import type { FieldError } from '#domain/errors.ts';
import { childPointer } from '#domain/json-pointer.ts';
import { limits } from '#domain/limits.ts';

/**
 * Says what is wrong with a value that a filter compares with: it must be JSON, not too deep, and without
 * operators in it, which would compare as plain names and so never match what was meant.
 */
export function checkLiteral(value: unknown, pointer: string, depth = 0): FieldError[] {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return [];
  if (typeof value === 'object') return checkParts(value, pointer, depth);
  if (typeof value === 'number' && Number.isFinite(value)) return [];
  return [{ pointer, detail: 'must be a value that JSON has' }];
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
