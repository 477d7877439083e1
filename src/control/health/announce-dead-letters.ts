import { isOperationalType } from '#domain/event/event-type.ts';
import { tenantIdOf } from '#domain/tenant.ts';
import type { DeadLetterDocument } from '#infra/mongo/documents.ts';
import type { ConfigView, TenantSnapshot } from '#wire/config-snapshot.ts';
import {
  type OperationalEvent,
  type OperationalEventDeps,
  enqueueOperationalEvents,
} from './operational-events.ts';

export interface AnnounceDeps extends OperationalEventDeps {
  config: Pick<ConfigView, 'tenant' | 'currentTenant'>;
}

/**
 * Announces dead letters as operational events. A receiver that is down can produce thousands of
 * them, so it writes nothing for tenants without a subscription to them. A dead letter of an
 * operational event is never announced.
 */
export async function announceDeadLetters(
  deps: AnnounceDeps,
  letters: readonly DeadLetterDocument[],
): Promise<void> {
  const { config, operatorTenant } = deps;
  const operator = operatorTenant === undefined ? undefined : config.currentTenant(operatorTenant);
  const events: OperationalEvent[] = [];
  for (const letter of letters) {
    // Only if the life of the delivery is the tenant's current one.
    const tenant = config.tenant(letter.tenant);
    if (tenant === undefined || isOperationalType(letter.type)) continue;
    if (![tenant, operator].some(listensToOperationalEvents)) continue;
    events.push(exhausted(letter, tenant));
  }
  await enqueueOperationalEvents(deps, events);
}

/** Whether a tenant has a subscription to operational events. */
export function listensToOperationalEvents(tenant: TenantSnapshot | undefined): boolean {
  if (tenant === undefined) return false;
  return tenant.subscriptions.some(({ eventTypes }) => eventTypes.some(isOperationalType));
}

function exhausted(letter: DeadLetterDocument, tenant: TenantSnapshot): OperationalEvent {
  const endpoint = tenant.endpoints.find(({ id }) => id === letter.endpoint);
  return {
    tenant: letter.tenant,
    type: 'posthorn.delivery.exhausted',
    key: letter._id,
    data: {
      tenant_id: tenantIdOf(letter.tenant),
      endpoint_id: letter.endpoint,
      url: endpoint?.url ?? null,
      delivery_id: letter._id,
      event_id: letter.event,
      event_type: letter.type,
      reason: letter.reason,
      cause: letter.cause,
      attempt_count: letter.attempt_count,
      accepted_at: letter.accepted_at.toISOString(),
      failed_at: letter.at.toISOString(),
    },
  };
}
