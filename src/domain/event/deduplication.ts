import type { FieldError } from '../errors.ts';
import { PosthornError } from '../errors.ts';
import { childPointer } from '../json-pointer.ts';
import { limits } from '../limits.ts';

/** When two events of a type are duplicates (IN-7): equal in these fields, within this time. */
export interface Formula {
  /** Attribute names (`source`, an extension), or pointers into `data` (`/data/order/id`). */
  fields: readonly string[];
  windowSeconds: number;
  /** First revision of a type that was registered again: earlier events are not compared. */
  bornAt?: number;
}

export const deduplicationBounds = {
  windowSeconds: { minimum: 1, maximum: 24 * 3600 },
} as const;

/** A parsed field of a formula: an attribute, or the path to a value in `data`. */
export type FormulaField =
  | { kind: 'attribute'; name: string }
  | { kind: 'data'; path: readonly string[] };

/** Names of attributes (CloudEvents 1.0.2, "naming conventions"). */
const ATTRIBUTE = new RegExp(`^[a-z0-9]{1,${limits.eventExtensionNameLengthMax}}$`);
const DATA = '/data';

/** @returns undefined if it is neither an attribute name nor a pointer (RFC 6901) into `data` */
export function parseFormulaField(field: string): FormulaField | undefined {
  if (ATTRIBUTE.test(field)) return { kind: 'attribute', name: field };
  if (field !== DATA && !field.startsWith(`${DATA}/`)) return undefined;
  const segments = field.split('/').slice(2);
  if (segments.length > limits.deduplicationPathSegmentsMax) return undefined;
  if (segments.some((segment) => /~(?![01])/.test(segment))) return undefined;
  const path = segments.map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'));
  return { kind: 'data', path };
}

/**
 * Checks the parts of a formula's fields that its JSON Schema does not cover.
 *
 * @param pointer JSON pointer of the list
 * @throws PosthornError POSTHORN_REQUEST_INVALID
 */
export function checkFormulaFields(formula: readonly string[], pointer: string): void {
  const fields: FieldError[] = [];
  formula.forEach((field, index) => {
    const detail = faultOf(field);
    if (detail !== undefined) fields.push({ pointer: childPointer(pointer, index), detail });
  });
  if (fields.length > 0) throw new PosthornError('POSTHORN_REQUEST_INVALID', { fields });
}

function faultOf(field: string): string | undefined {
  // No two events have the same.
  if (field === 'id') return 'cannot be id: every event has its own';
  if (parseFormulaField(field) !== undefined) return undefined;
  const most = limits.deduplicationPathSegmentsMax;
  return `must be the name of an attribute, like source, or a JSON pointer into data, like /data/order/id, of at most ${most} segments`;
}
