/** An event as a producer sent it, in any form: read and checked, not yet admitted. */
import { type FieldError, PosthornError } from '#domain/errors.ts';
import { EVENT_ID_RULE, EVENT_TEXT_PATTERN, isEventId } from '#domain/event/event-id.ts';
import { isEventTypeName } from '#domain/event/event-type.ts';
import { type Priority, isPriority } from '#domain/event/priority.ts';
import { limits } from '#domain/limits.ts';
import { MEDIA_TYPE_PATTERN } from '#domain/event/media-type.ts';
import type { DataKind, ExtensionValue } from '#wire/frames/event-frame.ts';

export interface EventInput {
  /** The caller's choice; absent: generated. */
  id?: string;
  /** `source`: the id is unique within `source`; absent: within the tenant. */
  idScope?: 'source';
  type: string;
  source?: string;
  time?: string;
  subject?: string;
  dataschema?: string;
  contentType?: string;
  kind: DataKind;
  /** Absent: that of the event type. */
  priority?: Priority;
  ext?: Record<string, ExtensionValue>;
  /** There is no `data`; the field `data` is then JSON's `null`. */
  noData?: true;
  /** The text or the bytes of `data`. */
  data: string | Buffer;
}

/** Attributes as received, of any type. */
export interface RawAttributes {
  id?: unknown;
  type?: unknown;
  source?: unknown;
  time?: unknown;
  subject?: unknown;
  dataschema?: unknown;
  datacontenttype?: unknown;
}

export type CheckedAttributes = Omit<EventInput, 'kind' | 'priority' | 'data' | 'noData' | 'ext'>;

const TIME =
  /^(\d{4})-(\d\d)-(\d\d)[Tt]([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d{1,18})?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$/;
const MEDIA_TYPE = new RegExp(MEDIA_TYPE_PATTERN);
const TEXT = new RegExp(EVENT_TEXT_PATTERN);

/**
 * Checks the attributes and reports the faults of all fields together.
 *
 * @param at JSON pointer of the object that holds them, `#header/ce-` for binary CloudEvents
 * @param idScope `source` for CloudEvents, whose id is any text
 */
export function checkAttributes(
  raw: RawAttributes,
  at: string,
  faults: FieldError[],
  idScope?: 'source',
): CheckedAttributes {
  const fault = (name: string, detail: string): void => {
    faults.push({ pointer: at + name, detail });
  };
  const checked: CheckedAttributes = { type: '' };
  if (raw.type === undefined) fault('type', 'is required');
  else if (typeof raw.type !== 'string' || !isEventTypeName(raw.type)) {
    const most = limits.eventTypeLengthMax;
    fault('type', `must be 1 to ${most} characters, none of them control, like order.created`);
  } else checked.type = raw.type;
  if (idScope !== undefined) {
    checked.idScope = idScope;
    text('id', limits.eventIdLengthMax);
  } else if (raw.id !== undefined) {
    if (typeof raw.id === 'string' && isEventId(raw.id)) checked.id = raw.id;
    else fault('id', EVENT_ID_RULE);
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

  function text(name: 'id' | 'source' | 'subject' | 'dataschema', lengthMax: number): void {
    const value = raw[name];
    if (value === undefined) return;
    if (typeof value !== 'string' || value === '' || value.length > lengthMax) {
      fault(name, `must be a string of 1 to ${lengthMax} characters`);
    } else if (!TEXT.test(value)) fault(name, 'must not hold control characters');
    else if (!value.isWellFormed()) fault(name, NOT_UNICODE);
    else checked[name] = value;
  }
}

/** The event's own priority, spread into it. */
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

/** UTF-8 cannot represent half of a surrogate pair: another character would arrive. */
export const NOT_UNICODE = 'must not hold half of a surrogate pair';

/** RFC 3339, section 5.6, with leap seconds, which `Date` rejects. */
function isTime(text: string): boolean {
  const match = TIME.exec(text);
  if (match === null) return false;
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])];
  if (month < 1 || month > 12 || day < 1) return false;
  return day <= new Date(Date.UTC(year, month, 0)).getUTCDate();
}

/** @throws PosthornError POSTHORN_EVENT_INVALID if there are faults */
export function refuse(faults: FieldError[]): void {
  if (faults.length > 0) throw new PosthornError('POSTHORN_EVENT_INVALID', { fields: faults });
}
