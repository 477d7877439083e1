import type { FieldError } from '#domain/errors.ts';

/** The context attributes of CloudEvents 1.0. */
export const ATTRIBUTES: ReadonlySet<string> = new Set([
  'specversion',
  'id',
  'source',
  'type',
  'datacontenttype',
  'dataschema',
  'subject',
  'time',
]);

/** Checks the attributes that CloudEvents require and our own form does not. */
export function requireAttributes(
  value: Record<string, unknown>,
  at: string,
  faults: FieldError[],
): void {
  if (value['specversion'] !== '1.0') {
    faults.push({ pointer: `${at}specversion`, detail: 'must be "1.0"' });
  }
  for (const name of ['id', 'source']) {
    if (value[name] === undefined) faults.push({ pointer: at + name, detail: 'is required' });
  }
}
