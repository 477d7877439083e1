/**
 * Approval of subscriptions (CT-3): a tenant whose `subscription_approval` is `required` asks for
 * its subscriptions, and an operator approves or cancels them. Only approved ones are in force.
 */
import { PosthornError } from '#domain/errors.ts';
import type { SubscriptionStatus } from '#domain/endpoint/endpoint.ts';
import { toStoredStatus } from '#domain/stored-status.ts';
import { lifeIdOf } from '#domain/tenant.ts';
import type { SubscriptionDocument, TenantDocument } from '#infra/mongo/configuration.ts';
import type { TenantChange } from '../config-sync/change-tenant.ts';
import {
  enqueueOperationalEvents,
  type OperationalEventDeps,
} from '../health/operational-events.ts';

type StoredStatus = SubscriptionDocument['status'];

/**
 * Returns the status of a new subscription.
 *
 * @param requested the status that the request names, or its default
 * @param mayApprove whether the caller is an operator
 */
export function newStatus(
  tenant: Pick<TenantDocument, 'subscription_approval'>,
  requested: SubscriptionStatus | undefined,
  mayApprove: boolean,
): StoredStatus {
  const needsApproval = tenant.subscription_approval === 'required' && !mayApprove;
  return needsApproval ? 'PENDING' : toStoredStatus(requested ?? 'approved');
}

/** Returns the status after a change of an approved subscription by its tenant. */
export function statusAfter(
  tenant: Pick<TenantDocument, 'subscription_approval'>,
  known: SubscriptionDocument,
  changed: SubscriptionDocument,
  mayApprove: boolean,
): StoredStatus {
  const needsApproval = tenant.subscription_approval === 'required' && !mayApprove;
  const isOther = !isSameSelection(known, changed);
  return needsApproval && isOther && changed.status === 'APPROVED' ? 'PENDING' : changed.status;
}

export function mayNotApprove(): PosthornError {
  return new PosthornError('POSTHORN_KEY_SCOPE', {
    detail: 'a platform key is needed to approve a subscription',
  });
}

/**
 * Announces a subscription that waits for its approval, in the transaction that stores it: a
 * repeat of the transaction is the same event.
 *
 * @param known the subscription before the change; undefined: it is new
 */
export async function announceRequest(
  deps: OperationalEventDeps,
  { tenant, session, now }: Pick<TenantChange, 'tenant' | 'session' | 'now'>,
  subscription: SubscriptionDocument,
  known?: SubscriptionDocument,
): Promise<void> {
  if (tenant.subscription_approval !== 'required' || subscription.status !== 'PENDING') return;
  if (known?.status === 'PENDING' && isSameSelection(known, subscription)) return;
  const data = {
    tenant_id: subscription.tenant,
    subscription_id: subscription._id,
    endpoint_id: subscription.endpoint_id,
    event_types: subscription.event_types,
    requested_at: now.toISOString(),
  };
  const event = {
    tenant: lifeIdOf({ id: tenant._id, life: tenant.life }),
    type: 'posthorn.approval.requested',
    key: `${subscription._id}:${subscription.revision}`,
    data,
  } as const;
  await enqueueOperationalEvents(deps, [event], session);
}

function isSameSelection(one: SubscriptionDocument, other: SubscriptionDocument): boolean {
  return (
    one.filter === other.filter &&
    JSON.stringify(one.event_types) === JSON.stringify(other.event_types)
  );
}
