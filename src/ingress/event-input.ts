/** An event as a producer sent it, whatever the form: read and checked, not yet admitted. */
import { type FieldError, PosthornError } from '#domain/errors.ts';
import { isEventTypeName } from '#domain/event-type.ts';
import { type Priority, isPriority } from '#domain/priority.ts';
import { limits } from '#domain/limits.ts';
import type { DataKind } from '#wire/event-frame.ts';

export interface EventInput {
  /** As the caller chose it; absent: ours. */
  id?: string;
  type: string;
  source?: string;
  time?: string;
  subject?: string;
  dataschema?: string;
  contentType?: string;
  kind: DataKind;
  /** Absent: that of the event type. */
  priority?: Priority;
  ext?: Record<string, string>;
  /** The text or the bytes of `data`. */
  data: string | Buffer;
}

/** Attributes as they came, of any type. */
export interface RawAttributes {
  id?: unknown;
  type?: unknown;
  source?: unknown;
  time?: unknown;
  subject?: unknown;
  dataschema?: unknown;
  datacontenttype?: unknown;
}

export type CheckedAttributes = Omit<EventInput, 'kind' | 'priority' | 'data' | 'ext'>;

/** An id becomes `webhook-id`, in which Standard Webhooks forbids a dot, and part of NATS headers. */
const ID = /^[A-Za-z0-9_:@/+=~|-]+$/;
const TIME = /^(\d{4})-(\d\d)-(\d\d)[Tt]([01]\d|2[0-3]):\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$/;
/** RFC 2045 type/subtype with parameters, in visible ASCII. */
const MEDIA_TYPE = /^[\w!#$&^.+-]{1,100}\/[\w!#$&^.+-]{1,100}(\s*;[\x20-\x7e]{0,200})?$/;
// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const CONTROL = /[\u0000-\u001f\u007f]/;

/**
 * Checks the attributes; what is wrong is said of every field at once.
 *
 * @param at JSON pointer of the object that holds them, `#header/ce-` for binary CloudEvents
 */
export function checkAttributes(
  raw: RawAttributes,
  at: string,
  faults: FieldError[],
): CheckedAttributes {
  const fault = (name: string, detail: string): void => {
    faults.push({ pointer: at + name, detail });
  };
  const checked: CheckedAttributes = { type: '' };
  if (raw.type === undefined) fault('type', 'is required');
  else if (typeof raw.type !== 'string' || !isEventTypeName(raw.type)) {
    fault('type', 'must be segments of letters, digits, _ and - between dots, like order.created');
  } else checked.type = raw.type;
  if (raw.id !== undefined) {
    if (typeof raw.id !== 'string' || raw.id.length > limits.eventIdLengthMax || !ID.test(raw.id)) {
      fault(
        'id',
        `must be 1 to ${limits.eventIdLengthMax} letters, digits or any of _:@/+=~|- (no dot: it becomes webhook-id)`,
      );
    } else checked.id = raw.id;
  }
  if (raw.time !== undefined) {
    if (typeof raw.time === 'string' && isTime(raw.time)) checked.time = raw.time;
    else fault('time', 'must be a time like 2026-01-31T12:00:00Z (RFC 3339)');
  }
  text('source', limits.eventSourceLengthMax);
  text('subject', limits.eventSubjectLengthMax);
  text('dataschema', limits.eventSourceLengthMax);
  if (raw.datacontenttype !== undefined) {
    if (typeof raw.datacontenttype === 'string' && MEDIA_TYPE.test(raw.datacontenttype)) {
      checked.contentType = raw.datacontenttype;
    } else fault('datacontenttype', 'must be a media type, like application/json');
  }
  return checked;

  function text(name: 'source' | 'subject' | 'dataschema', lengthMax: number): void {
    const value = raw[name];
    if (value === undefined) return;
    if (typeof value !== 'string' || value === '' || value.length > lengthMax) {
      fault(name, `must be a string of 1 to ${lengthMax} characters`);
    } else if (CONTROL.test(value)) fault(name, 'must not hold control characters');
    else if (!value.isWellFormed()) fault(name, NOT_UNICODE);
    else checked[name] = value;
  }
}

/** The priority that an event names, spread into it. */
export function checkPriority(
  value: unknown,
  pointer: string,
  faults: FieldError[],
): Pick<EventInput, 'priority'> {
  if (value === undefined) return {};
  if (isPriority(value)) return { priority: value };
  faults.push({ pointer, detail: 'must be high or normal' });
  return {};
}

/** Half of a surrogate pair cannot be written in UTF-8: it would arrive as another character. */
export const NOT_UNICODE = 'must not hold half of a surrogate pair';

/** `Date.parse` takes the 30th of February for the 2nd of March. */
function isTime(text: string): boolean {
  const match = TIME.exec(text);
  if (match === null || Number.isNaN(Date.parse(text))) return false;
  const lastDay = new Date(Date.UTC(Number(match[1]), Number(match[2]), 0)).getUTCDate();
  return Number(match[3]) <= lastDay;
}

/** @throws PosthornError POSTHORN_EVENT_INVALID, where there is any fault */
export function refuse(faults: FieldError[]): void {
  if (faults.length > 0) throw new PosthornError('POSTHORN_EVENT_INVALID', { fields: faults });
}
