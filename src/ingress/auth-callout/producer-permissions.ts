import { type Principal, requireTenant } from '#infra/http/server/authenticate.ts';
import { subjects } from '#wire/subjects.ts';

/** What a producer's connection may do; everything else is refused by nats-server. */
export interface ProducerPermissions {
  publish: string[];
  subscribe: string[];
}

/**
 * A producer sends requests to the tenants that its key reaches, and listens for the answers in an inbox that
 * only its key may read.
 *
 * @throws PosthornError POSTHORN_KEY_SCOPE for a key that may not publish
 */
export function producerPermissions(principal: Principal): ProducerPermissions {
  // A tenant's own key is refused here, whatever tenant is asked about.
  requireTenant(principal, principal.tenant ?? '', 'publish');
  return {
    publish: [subjects.requestsOf(principal.tenant ?? '*')],
    subscribe: [`${inboxPrefix(principal.keyId)}.>`],
  };
}

/** What the producer's client must be told to begin its inboxes with. */
export function inboxPrefix(keyId: string): string {
  return `_INBOX_${keyId}`;
}
