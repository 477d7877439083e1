import { limits } from '../limits.ts';

const control = '\\u0000-\\u001f\\u007f-\\u009f';

/** Event type names: any text without control characters (CloudEvents 1.0.2, section "type"). */
export const EVENT_TYPE_PATTERN = `^[^${control}]+$`;
const name = new RegExp(EVENT_TYPE_PATTERN, 'u');

/**
 * A subscription's pattern: an exact name, `*` for all, or `order.*` for every name below `order.`.
 * A star elsewhere is rejected, as its meaning would be misread.
 */
export const EVENT_TYPE_SELECTOR_PATTERN = `^(\\*|[^*${control}]+(\\.\\*)?)$`;

/** Whether it is a valid event type name. Its length is counted as JSON Schema does. */
export function isEventTypeName(value: string): boolean {
  const most = limits.eventTypeLengthMax;
  // Characters outside the basic plane are two units: only long names need counting.
  const fits =
    value.length <= most || (value.length <= most * 2 && Array.from(value).length <= most);
  return fits && name.test(value) && value.isWellFormed();
}

export const eventTypeStatuses = ['active', 'inactive'] as const;
export type EventTypeStatus = (typeof eventTypeStatuses)[number];

/** Which changes of its schema a type accepts (`control/event-types/check-compatibility.ts`). */
export const compatibilities = ['none', 'backward', 'forward', 'full'] as const;
export type Compatibility = (typeof compatibilities)[number];

/** Types of the platform's own events (`posthorn.endpoint.disabled`); closed to producers. */
const OPERATIONAL_PREFIX = 'posthorn.';

/** Whether it is the type of an operational event. `*` does not select these; their names do. */
export function isOperationalType(type: string): boolean {
  return type.startsWith(OPERATIONAL_PREFIX);
}

/** Whether a subscription's pattern covers an event type. */
export function selectorMatches(selector: string, type: string): boolean {
  if (!selector.endsWith('*')) return selector === type;
  if (selector === '*') return !isOperationalType(type);
  return type.startsWith(selector.slice(0, -1));
}
