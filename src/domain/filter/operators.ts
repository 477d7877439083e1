/** Operators that join whole filters, each with a list of them. */
export const joinOperators = ['$and', '$or', '$nor'] as const;

/** Operators on one field. */
export const fieldOperators = [
  '$eq',
  '$ne',
  '$gt',
  '$gte',
  '$lt',
  '$lte',
  '$in',
  '$nin',
  '$exists',
  '$regex',
  '$options',
  '$not',
  '$elemMatch',
] as const;

/** A JSON object: neither a list nor null. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * True for a condition like `{$gt: 5}`; false for a literal like `{a: 1}`. Join operators do not
 * count: `{$or: […]}` in an `$elemMatch` is a filter on the element's fields.
 */
export function isOperatorObject(value: unknown): value is Record<string, unknown> {
  if (!isPlainObject(value)) return false;
  for (const key in value) {
    return key.startsWith('$') && !(joinOperators as readonly string[]).includes(key);
  }
  return false;
}
