import { limits } from './limits.ts';

/** Tenant ids stand in NATS subjects and in URLs, so they are made of the characters safe in both. */
export const TENANT_ID_PATTERN = `^[a-zA-Z0-9][a-zA-Z0-9_-]{0,${limits.tenantIdLengthMax - 1}}$`;
const tenantId = new RegExp(TENANT_ID_PATTERN);

/** Whether it can be the id of a tenant. */
export function isTenantId(value: string): boolean {
  return tenantId.test(value);
}

/** `auto`: an event type that is not registered is accepted, and noted for the tenant; `strict`: it is refused (IN-5). */
export const eventTypePolicies = ['auto', 'strict'] as const;
export type EventTypePolicy = (typeof eventTypePolicies)[number];
