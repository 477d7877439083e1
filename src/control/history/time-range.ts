import { type FieldError, PosthornError } from '#domain/errors.ts';

/** A half-open range of times (RFC 3339). */
export interface TimeBounds {
  gte?: string;
  lt?: string;
}

/**
 * Builds the MongoDB condition for a time range; undefined if there is none.
 *
 * @param pointerOf returns the pointer to a bound
 * @throws PosthornError POSTHORN_REQUEST_INVALID if a time does not exist
 */
export function timeRange(
  bounds: TimeBounds,
  pointerOf: (bound: keyof TimeBounds) => string,
): { $gte?: Date; $lt?: Date } | undefined {
  if (bounds.gte === undefined && bounds.lt === undefined) return undefined;
  const range: { $gte?: Date; $lt?: Date } = {};
  const fields: FieldError[] = [];
  const read = (bound: keyof TimeBounds): Date | undefined => {
    const text = bounds[bound];
    if (text === undefined) return undefined;
    const date = new Date(text);
    if (!Number.isNaN(date.getTime())) return date;
    const detail = 'must be a time like 2026-01-31T12:00:00Z (RFC 3339)';
    fields.push({ pointer: pointerOf(bound), detail });
    return undefined;
  };
  const [gte, lt] = [read('gte'), read('lt')];
  if (fields.length > 0) throw new PosthornError('POSTHORN_REQUEST_INVALID', { fields });
  if (gte !== undefined) range.$gte = gte;
  if (lt !== undefined) range.$lt = lt;
  return range;
}

/** As `timeRange`, of the query fields `<field>[gte]` and `<field>[lt]`. */
export function queryRange(query: object, field: string): ReturnType<typeof timeRange> {
  const given = query as Readonly<Record<string, string | undefined>>;
  const [gte, lt] = [given[`${field}[gte]`], given[`${field}[lt]`]];
  const bounds = { ...(gte !== undefined && { gte }), ...(lt !== undefined && { lt }) };
  return timeRange(bounds, (bound) => `#query/${field}[${bound}]`);
}
