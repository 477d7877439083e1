import { type FieldError, PosthornError } from '#domain/errors.ts';

/**
 * Builds the MongoDB condition for a time range; undefined if there is none.
 *
 * @param at prefix of the JSON pointers to `after` and `before`
 * @throws PosthornError POSTHORN_REQUEST_INVALID if a time does not exist
 */
export function timeRange(
  query: { after?: string; before?: string },
  at: '#query' | '',
): { $gt?: Date; $lt?: Date } | undefined {
  if (query.after === undefined && query.before === undefined) return undefined;
  const range: { $gt?: Date; $lt?: Date } = {};
  const fields: FieldError[] = [];
  const read = (name: 'after' | 'before'): Date | undefined => {
    const text = query[name];
    if (text === undefined) return undefined;
    const date = new Date(text);
    if (!Number.isNaN(date.getTime())) return date;
    fields.push({
      pointer: `${at}/${name}`,
      detail: 'must be a time like 2026-01-31T12:00:00Z (RFC 3339)',
    });
    return undefined;
  };
  const [after, before] = [read('after'), read('before')];
  if (fields.length > 0) throw new PosthornError('POSTHORN_REQUEST_INVALID', { fields });
  if (after !== undefined) range.$gt = after;
  if (before !== undefined) range.$lt = before;
  return range;
}
