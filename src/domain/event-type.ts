import { limits } from './limits.ts';

const segment = '[a-zA-Z0-9_-]+';
const segments = `${segment}(\\.${segment}){0,${limits.eventTypeSegmentsMax - 1}}`;

/** Event type names: segments of `[a-zA-Z0-9_-]` between dots (Standard Webhooks, section "event types"). */
export const EVENT_TYPE_PATTERN = `^${segments}$`;
const name = new RegExp(EVENT_TYPE_PATTERN);

/** A subscription's pattern: an exact name, `*` for all, or `order.*` for every name below `order.`. */
export const EVENT_TYPE_SELECTOR_PATTERN = `^(\\*|${segments}(\\.\\*)?)$`;

/** Whether it can be the name of an event type. */
export function isEventTypeName(value: string): boolean {
  return value.length <= limits.eventTypeLengthMax && name.test(value);
}

export const eventTypeStates = ['ACTIVE', 'INACTIVE'] as const;
export type EventTypeState = (typeof eventTypeStates)[number];

/** Types of what the platform tells of itself (`posthorn.endpoint.disabled`); no producer may publish them. */
const OPERATIONAL_PREFIX = 'posthorn.';

/** Whether it is the type of an operational event: only who names them gets them, `*` does not. */
export function isOperationalType(type: string): boolean {
  return type.startsWith(OPERATIONAL_PREFIX);
}

/** Whether a subscription's pattern covers an event type. */
export function selectorMatches(selector: string, type: string): boolean {
  if (!selector.endsWith('*')) return selector === type;
  if (selector === '*') return !isOperationalType(type);
  return type.startsWith(selector.slice(0, -1));
}
