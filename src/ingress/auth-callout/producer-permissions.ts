import { type Principal, requireTenant } from '#domain/authorization.ts';
import { subjects } from '#wire/subjects.ts';

/** The permissions of a producer's connection; nats-server denies everything else. */
export interface ProducerPermissions {
  publish: string[];
  subscribe: string[];
}

/**
 * A producer may send requests to the tenants of its key, and receive the answers in an inbox that
 * only its key may read.
 *
 * @throws PosthornError POSTHORN_KEY_SCOPE for a key that may not publish
 */
export function producerPermissions(principal: Principal): ProducerPermissions {
  // A tenant's own key is rejected here, for any tenant.
  requireTenant(principal, principal.tenant ?? '', 'publish');
  return {
    publish: [subjects.requestsOf(principal.tenant ?? '*')],
    subscribe: [`${inboxPrefix(principal.keyId)}.>`],
  };
}

/** The inbox prefix that the producer's client must use. */
export function inboxPrefix(keyId: string): string {
  return `_INBOX_${keyId}`;
}
