import { type FieldError, PosthornError } from '#domain/errors.ts';

/**
 * The bounds of a list in time, as a condition of MongoDB; undefined where it has none.
 *
 * @param at what the pointers to `after` and `before` begin with
 * @throws PosthornError POSTHORN_REQUEST_INVALID for what has the form of a time and is none
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
    fields.push({ pointer: `${at}/${name}`, detail: 'is not a time' });
    return undefined;
  };
  const [after, before] = [read('after'), read('before')];
  if (fields.length > 0) throw new PosthornError('POSTHORN_REQUEST_INVALID', { fields });
  if (after !== undefined) range.$gt = after;
  if (before !== undefined) range.$lt = before;
  return range;
}
