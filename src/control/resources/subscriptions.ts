/** Manages subscriptions (CT-3): they select the tenant's events that an endpoint gets. */
import type { ClientSession } from 'mongodb';
import { PosthornError } from '#domain/errors.ts';
import { notFound, tenantNotFound } from '#domain/field-faults.ts';
import { newId } from '#domain/ids.ts';
import { fromStoredStatus, toStoredStatus } from '#domain/stored-status.ts';
import { anyOf } from '#infra/mongo/any-of.ts';
import type { Configuration, SubscriptionDocument } from '#infra/mongo/configuration.ts';
import { removeAnswersOf } from '#infra/mongo/idempotent-answers.ts';
import type { Admission } from '#wire/published/admission.ts';
import type {
  DryRunResult,
  NewSubscription,
  SubscriptionChange,
  SubscriptionListQuery,
  SubscriptionResource,
} from '#wire/api/subscription.ts';
import { boundList, type Page, type PageSort, toPage } from '#wire/pagination.ts';
import { checkPreconditions, type Preconditions } from '#wire/revision.ts';
import {
  changeTenant,
  type ConfigurationDeps,
  type TenantChange,
} from '../config-sync/change-tenant.ts';
import type { ChangeClaim } from '../idempotency/change-claim.ts';
import { CurrentLives } from '../lives/current-lives.ts';
import { announceRequest, mayNotApprove, newStatus, statusAfter } from '../approvals/approvals.ts';
import type { OperationalEventDeps } from '../health/operational-events.ts';
import { type DryRunRequest, dryRunSubscription } from './dry-run.ts';
import { afterId, idOrder } from './id-order.ts';
import { checkFilter } from './subscription-filter.ts';
import { checkTenantExists } from './tenant-exists.ts';

const SORT: PageSort = { name: 'subscriptions', fields: ['string'] };

export interface SubscriptionsDeps extends ConfigurationDeps {
  /** For subscriptions that wait for approval. */
  announcing: OperationalEventDeps;
  /** Longest sample event of a filter. */
  eventBytesMax: number;
  /** Admits sample events. */
  admission: Admission;
}

export class Subscriptions {
  private readonly deps: SubscriptionsDeps;

  constructor(deps: SubscriptionsDeps) {
    this.deps = deps;
  }

  async create(
    tenantId: string,
    body: NewSubscription,
    mayApprove: boolean,
    claim?: ChangeClaim<SubscriptionResource>,
  ): Promise<SubscriptionResource> {
    const { configuration } = this.deps;
    const filter = checkFilter(body.filter);
    const insert = async (context: TenantChange): Promise<SubscriptionResource> => {
      const { session, tenant } = context;
      const endpoint = { _id: body.endpoint_id, tenant: tenantId };
      if ((await configuration.endpoints.findOne(endpoint, { session })) === null) {
        throw noSuchEndpoint(body.endpoint_id);
      }
      const subscription = await insertSubscription(configuration, context, {
        tenant: tenantId,
        endpoint_id: body.endpoint_id,
        event_types: body.event_types ?? ['*'],
        filter,
        status: newStatus(tenant, body.status, mayApprove),
      });
      await announceRequest(this.deps.announcing, context, subscription);
      return toResource(subscription);
    };
    return changeTenant(this.deps, tenantId, insert, claim);
  }

  async get(tenantId: string, id: string): Promise<SubscriptionResource> {
    const { subscriptions } = this.deps.configuration;
    const subscription = await subscriptions.findOne({ _id: id, tenant: tenantId });
    if (subscription !== null) return toResource(subscription);
    await checkTenantExists(this.deps.configuration, tenantId);
    throw notFound('subscription', id);
  }

  async list(tenantId: string, query: SubscriptionListQuery): Promise<Page<SubscriptionResource>> {
    const { configuration } = this.deps;
    const { limit, order, endpoint_id: endpointIds, status } = query;
    const list = boundList(SORT, await new CurrentLives(configuration).of(tenantId), query);
    const subscriptions = await configuration.subscriptions
      .find({
        tenant: tenantId,
        ...afterId(list, query),
        ...anyOf('endpoint_id', endpointIds),
        ...anyOf('status', status?.map(toStoredStatus)),
      })
      .sort(idOrder(order))
      .limit(limit + 1)
      .toArray();
    return toPage(subscriptions, limit, list, (subscription) => [subscription._id], toResource);
  }

  /**
   * @param mayApprove whether the caller may approve a pending subscription (an operator may, a
   * tenant may not)
   */
  async change(
    tenantId: string,
    id: string,
    body: SubscriptionChange,
    caller: { preconditions: Preconditions; mayApprove: boolean },
  ): Promise<SubscriptionResource> {
    const { configuration } = this.deps;
    const fields: Partial<SubscriptionDocument> = {};
    if (body.event_types !== undefined) fields.event_types = body.event_types;
    if (body.filter !== undefined) fields.filter = checkFilter(body.filter);
    if (body.status !== undefined) fields.status = toStoredStatus(body.status);
    return changeTenant(this.deps, tenantId, async (context) => {
      const { session, tenant, now, size } = context;
      const known = await this.find(tenantId, id, session);
      checkPreconditions(caller.preconditions, known.revision);
      if (body.status === 'approved' && known.status !== 'APPROVED' && !caller.mayApprove) {
        throw mayNotApprove();
      }
      const changed = { ...known, ...fields, revision: known.revision + 1, updated_at: now };
      changed.status = statusAfter(tenant, known, changed, caller.mayApprove);
      await announceRequest(this.deps.announcing, context, changed, known);
      await configuration.subscriptions.replaceOne({ _id: id }, changed, { session });
      size.replaced('subscriptions', known, changed);
      return toResource(changed);
    });
  }

  async remove(tenantId: string, id: string, preconditions: Preconditions): Promise<void> {
    const { subscriptions, idempotentAnswers } = this.deps.configuration;
    await changeTenant(this.deps, tenantId, async ({ session, now, size }) => {
      const known = await this.find(tenantId, id, session);
      checkPreconditions(preconditions, known.revision);
      await subscriptions.deleteOne({ _id: id }, { session });
      await removeAnswersOf(idempotentAnswers, [id], { session, now });
      size.removed('subscriptions', known);
    });
  }

  /** @throws PosthornError POSTHORN_TENANT_UNKNOWN, and those of `dryRunSubscription` */
  async dryRun(
    tenantId: string,
    body: DryRunRequest,
    correlationId: string,
  ): Promise<DryRunResult> {
    const { configuration, admission, eventBytesMax, clock } = this.deps;
    const known = await configuration.tenants.findOne(
      { _id: tenantId },
      { projection: { event_type_policy: 1 } },
    );
    if (known === null) throw tenantNotFound(tenantId);
    const policy = known.event_type_policy;
    const tenant = { id: tenantId, ...(policy !== null && { eventTypePolicy: policy }) };
    const context = { tenant, admission, correlationId, eventBytesMax, nowMs: clock.wallMs() };
    return dryRunSubscription(body, context);
  }

  private async find(
    tenantId: string,
    id: string,
    session: ClientSession,
  ): Promise<SubscriptionDocument> {
    const query = { _id: id, tenant: tenantId };
    const known = await this.deps.configuration.subscriptions.findOne(query, { session });
    if (known === null) throw notFound('subscription', id);
    return known;
  }
}

/** Inserts a subscription within a change of the tenant. */
export async function insertSubscription(
  configuration: Configuration,
  { session, now, size }: TenantChange,
  fields: Pick<
    SubscriptionDocument,
    'tenant' | 'endpoint_id' | 'event_types' | 'filter' | 'status'
  >,
): Promise<SubscriptionDocument> {
  const _id = newId('sub', now.getTime());
  const subscription = { _id, ...fields, revision: 1, created_at: now, updated_at: now };
  await configuration.subscriptions.insertOne(subscription, { session });
  size.added('subscriptions', subscription);
  return subscription;
}

function noSuchEndpoint(id: string): PosthornError {
  return new PosthornError('POSTHORN_REQUEST_INVALID', {
    fields: [
      { pointer: '/endpoint_id', detail: `must be an endpoint of the tenant: ${id} not found` },
    ],
  });
}

function toResource(subscription: SubscriptionDocument): SubscriptionResource {
  return {
    id: subscription._id,
    tenant_id: subscription.tenant,
    endpoint_id: subscription.endpoint_id,
    event_types: subscription.event_types,
    filter:
      subscription.filter === null
        ? null
        : (JSON.parse(subscription.filter) as Record<string, unknown>),
    status: fromStoredStatus(subscription.status),
    revision: subscription.revision,
    created_at: subscription.created_at.toISOString(),
    updated_at: subscription.updated_at.toISOString(),
  };
}
