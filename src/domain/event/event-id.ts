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
  return source === defaultSource && isEventId(id)
    ? plainEventId(source, id)
    : digestOf(CLOUD_EVENT, source, id);
}

/**
 * The event id of a plain event: its own id. An id that has the form of a digest gets one itself:
 * otherwise it would be equal to the id of another CloudEvent or of a broadcast.
 */
export function plainEventId(defaultSource: string, id: string): string {
  return DIGEST.test(id) ? digestOf(CLOUD_EVENT, defaultSource, id) : id;
}

/**
 * The event id of a broadcast with a chosen id: `bc_` and the SHA-256 (base64url) of both. Its
 * copies therefore never have the id of an event that a producer published to a tenant.
 */
export function broadcastEventId(source: string, id: string): string {
  return digestOf(BROADCAST, source, id);
}

/** The ids that an event of a tenant with this source and chosen id can have. */
export function possibleEventIds(tenant: string, source: string, id: string): string[] {
  const own = tenantSource(tenant);
  const ids = [
    plainEventId(own, id),
    cloudEventId(source, id, own),
    broadcastEventId(source, id),
    broadcastEventId(BROADCAST_SOURCE, id),
  ];
  return [...new Set(ids)];
}

const CLOUD_EVENT = 'ce_';
const BROADCAST = 'bc_';
const DIGEST = new RegExp(`^(?:${CLOUD_EVENT}|${BROADCAST})[A-Za-z0-9_-]{43}$`);

function digestOf(prefix: string, source: string, id: string): string {
  const digest = createHash('sha256')
    .update(JSON.stringify([source, id]))
    .digest('base64url');
  return prefix + digest;
}

/** The source of a tenant's events without one. */
export function tenantSource(tenant: string): string {
  return `/tenants/${tenant}`;
}

/** The source of a broadcast without one. */
export const BROADCAST_SOURCE = '/broadcasts';

/** The source of operational events. */
export const OPERATIONAL_SOURCE = '/posthorn';
