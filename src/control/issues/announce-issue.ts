import { tenantIdOf } from '#domain/tenant.ts';
import type { IssueDocument } from '#infra/mongo/issues/issues.ts';
import type { ConfigView } from '#wire/config-snapshot.ts';
import { listensToOperationalEvents } from '../health/announce-dead-letters.ts';
import {
  type OperationalEventDeps,
  enqueueOperationalEvents,
} from '../health/operational-events.ts';

export interface IssueEventDeps extends OperationalEventDeps {
  config: Pick<ConfigView, 'tenant' | 'currentTenant'>;
}

/**
 * Announces that an issue was opened or resolved. Each opening is announced once, however often
 * this is called. It stores nothing for tenants without a subscription to operational events.
 */
export async function announceIssue(
  deps: IssueEventDeps,
  type: 'posthorn.issue.opened' | 'posthorn.issue.resolved',
  issue: IssueDocument,
): Promise<void> {
  const { config, operatorTenant } = deps;
  const tenant = config.tenant(issue.tenant);
  if (tenant === undefined) return;
  const operator = operatorTenant === undefined ? undefined : config.currentTenant(operatorTenant);
  if (![tenant, operator].some(listensToOperationalEvents)) return;
  const endpoint = tenant.endpoints.find(({ id }) => id === issue.endpoint);
  const data = {
    tenant_id: tenantIdOf(issue.tenant),
    endpoint_id: issue.endpoint,
    url: endpoint?.url ?? null,
    issue_id: issue._id,
    cause: issue.cause,
    failure_count: issue.count,
    first_failed_at: issue.first_failed_at.toISOString(),
    last_failed_at: issue.last_failed_at.toISOString(),
    opened_count: issue.openings,
  };
  await enqueueOperationalEvents(deps, [
    { tenant: issue.tenant, type, key: `${issue._id}:${issue.openings}:${issue.revision}`, data },
  ]);
}
