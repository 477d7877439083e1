/**
 * Ids of events. A CloudEvent is identified by its source and id, a plain event by its id alone.
 * Our id for either is a pure function of the producer's input: it needs no look-up, so a repeat is
 * recognized even while every store is down.
 */
import { createHash } from 'node:crypto';
import { limits } from '../limits.ts';

/** An id becomes `webhook-id`, in which Standard Webhooks forbids a dot, and a token of NATS. */
export const EVENT_ID_PATTERN = '^[A-Za-z0-9_:@/+=~|-]+$';
const ID = new RegExp(EVENT_ID_PATTERN);

/** The id of a CloudEvent, and its other attributes: text without control characters. */
export const EVENT_TEXT_PATTERN = '^[^\\u0000-\\u001f\\u007f]+$';

export const EVENT_ID_RULE = `must be 1 to ${limits.eventIdLengthMax} letters, digits or any of _:@/+=~|- (no dot: it becomes webhook-id)`;

/** Whether it is valid as an event id. */
export function isEventId(id: string): boolean {
  return id.length <= limits.eventIdLengthMax && ID.test(id);
}

/**
 * The event id of a CloudEvent: its own id if its source is the default one and the id is valid
 * here, else `ce_` and the SHA-256 (base64url) of both.
 *
 * @param defaultSource absent: no source is the default one
 */
export function cloudEventId(source: string, id: string, defaultSource?: string): string {
  if (source === defaultSource && isEventId(id)) return id;
  return `ce_${createHash('sha256')
    .update(JSON.stringify([source, id]))
    .digest('base64url')}`;
}

/** The source of a tenant's events without one. */
export function tenantSource(tenant: string): string {
  return `/tenants/${tenant}`;
}
