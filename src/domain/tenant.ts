import { limits } from './limits.ts';

/** Tenant ids are parts of NATS subjects and URLs: only characters that are safe in both. */
const TENANT_ID = `[a-zA-Z0-9][a-zA-Z0-9_-]{0,${limits.tenantIdLengthMax - 1}}`;
export const TENANT_ID_PATTERN = `^${TENANT_ID}$`;
const tenantId = new RegExp(TENANT_ID_PATTERN);

/** Whether it is a valid tenant id. */
export function isTenantId(value: string): boolean {
  return tenantId.test(value);
}

/** Not in any tenant id, yet legal in NATS subjects, KV keys, consumer names and URLs. */
const LIFE_MARK = '=';
/** Life ids: see `lifeIdOf`. */
export const LIFE_ID_PATTERN = `^${TENANT_ID}(${LIFE_MARK}[1-9][0-9]{0,8})?$`;
const lifeId = new RegExp(LIFE_ID_PATTERN);

/**
 * Names one life of a tenant. A tenant that is deleted and created again under its id begins its
 * next life. Lives are numbered from 0. All data of a tenant is keyed by its life id (subjects,
 * message ids, documents, objects), so data of one life is never mistaken for that of another.
 *
 * @returns the tenant id itself for life 0, else `<tenant id>=<life>`
 */
export function lifeIdOf({ id, life = 0 }: { id: string; life?: number | undefined }): string {
  return life === 0 ? id : `${id}${LIFE_MARK}${life}`;
}

/** The tenant of a life id. */
export function tenantIdOf(lifeId: string): string {
  const mark = lifeId.indexOf(LIFE_MARK);
  return mark < 0 ? lifeId : lifeId.slice(0, mark);
}

/** The number of the life of a life id. */
export function lifeOf(lifeId: string): number {
  const mark = lifeId.indexOf(LIFE_MARK);
  return mark < 0 ? 0 : Number(lifeId.slice(mark + 1));
}

/** Whether it is a valid life id. */
export function isLifeId(value: string): boolean {
  return lifeId.test(value);
}

/** `auto`: unregistered event types are accepted and recorded; `strict`: rejected (IN-5). */
export const eventTypePolicies = ['auto', 'strict'] as const;
export type EventTypePolicy = (typeof eventTypePolicies)[number];

/** `required`: subscriptions of the tenant wait for an operator's approval (CT-3). */
export const subscriptionApprovals = ['none', 'required'] as const;
export type SubscriptionApproval = (typeof subscriptionApprovals)[number];
