/** Manages endpoints (CT-2): URLs for a tenant's webhooks, and the secrets that sign them. */
import type { ClientSession } from 'mongodb';
import type { ProbeReceiver } from '#domain/canary.ts';
import type { EgressGuard } from '#domain/endpoint/egress.ts';
import { PosthornError } from '#domain/errors.ts';
import { notFound } from '#domain/field-faults.ts';
import { newId } from '#domain/ids.ts';
import { lifeIdOf } from '#domain/tenant.ts';
import { anyOf } from '#infra/mongo/any-of.ts';
import type { EndpointDocument } from '#infra/mongo/configuration.ts';
import { removeAnswersOf } from '#infra/mongo/idempotent-answers.ts';
import type {
  CreatedEndpoint,
  EndpointChange,
  EndpointListQuery,
  EndpointResource,
  EndpointWithHealth,
  NewEndpoint,
  NewPollEndpoint,
  RotatedSecret,
  SecretRotation,
} from '#wire/api/endpoint/endpoint.ts';
import { boundList, type Page, type PageSort, toPage } from '#wire/pagination.ts';
import { checkPreconditions, type Preconditions } from '#wire/revision.ts';
import { newSecret, publicKeyOf } from '#wire/webhook/signature.ts';
import {
  changeTenant,
  type ConfigurationDeps,
  type TenantChange,
} from '../config-sync/change-tenant.ts';
import type { ChangeClaim } from '../idempotency/change-claim.ts';
import { CurrentLives } from '../lives/current-lives.ts';
import { validateCombination } from '../credentials/validate-combination.ts';
import { credentialFields, toCredentialsResource } from '../credentials/endpoint-credentials.ts';
import {
  type Sealer,
  checkSecret,
  rotateSecrets,
  sealedSecret,
  toSecretResources,
  successorOf,
} from './endpoint-secrets.ts';
import { afterId, idOrder } from './id-order.ts';
import { checkLinksAllowed, policyFields, toPolicyResource } from './endpoint-policies.ts';
import { checkTenantUrl, shownUrl } from './endpoint-url.ts';
import { announceRequest, newStatus } from '../approvals/approvals.ts';
import type { OperationalEventDeps } from '../health/operational-events.ts';
import type { HealthReads } from '../health/reads.ts';
import {
  checkChangeOfKind,
  checkHasSecrets,
  newPollDocument,
  pollFields,
  toPollResource,
} from '../poll/poll-endpoints.ts';
import { checkFilter } from './subscription-filter.ts';
import {
  toVerificationResource,
  verificationFields,
} from '../endpoint-requests/verification-rules.ts';
import { toPauseResource } from '../endpoint-status/pauses.ts';
import { statusFields } from '../endpoint-status/status-fields.ts';
import { insertSubscription } from './subscriptions.ts';
import { checkTenantExists } from './tenant-exists.ts';

const SORT: PageSort = { name: 'endpoints', fields: ['string'] };
const DEFAULT_OVERLAP_SECONDS = 24 * 3600;

export interface EndpointsDeps extends ConfigurationDeps {
  secretBox: Sealer;
  guard: EgressGuard;
  probeReceiver: ProbeReceiver;
  /** Base URL of links to payloads; undefined: there are no links. */
  publicUrl: string | undefined;
  health: Pick<HealthReads, 'get'>;
  /** For subscriptions that wait for approval. */
  announcing: OperationalEventDeps;
  /** Called after an endpoint was deleted. Must not throw. */
  onRemoved: (lifeId: string, endpoint: string) => void;
}

export class Endpoints {
  private readonly deps: EndpointsDeps;

  constructor(deps: EndpointsDeps) {
    this.deps = deps;
  }

  /**
   * Creates the endpoint and, unless `event_types` is empty, a subscription for it, in one
   * transaction.
   */
  create(
    tenantId: string,
    body: NewEndpoint | NewPollEndpoint,
    mayApprove: boolean,
    claim?: ChangeClaim<CreatedEndpoint>,
  ): Promise<CreatedEndpoint> {
    return body.kind === 'poll'
      ? this.createPolled(tenantId, body, mayApprove, claim)
      : this.createWebhook(tenantId, body, mayApprove, claim);
  }

  private createPolled(
    tenantId: string,
    body: NewPollEndpoint,
    mayApprove: boolean,
    claim?: ChangeClaim<CreatedEndpoint>,
  ): Promise<CreatedEndpoint> {
    const filter = checkFilter(body.filter);
    const id = newId('ep', this.deps.clock.wallMs());
    const insert = async (context: TenantChange): Promise<CreatedEndpoint> => {
      const endpoint = newPollDocument(id, tenantId, body, context.now);
      const subscription_id = await this.insert(context, endpoint, { ...body, filter, mayApprove });
      return { ...toPollResource(endpoint, pollFields(body.poll, undefined)), subscription_id };
    };
    return changeTenant(this.deps, tenantId, insert, claim);
  }

  /** Inserts the endpoint and its subscription. @returns the id of the subscription */
  private async insert(
    context: TenantChange,
    endpoint: EndpointDocument,
    body: {
      event_types?: string[];
      filter: ReturnType<typeof checkFilter>;
      mayApprove: boolean;
    },
  ): Promise<string | null> {
    const { configuration } = this.deps;
    await configuration.endpoints.insertOne(endpoint, { session: context.session });
    context.size.added('endpoints', endpoint);
    const eventTypes = body.event_types ?? ['*'];
    if (eventTypes.length === 0) return null;
    const subscription = await insertSubscription(configuration, context, {
      tenant: endpoint.tenant,
      endpoint_id: endpoint._id,
      event_types: eventTypes,
      filter: body.filter,
      status: newStatus(context.tenant, undefined, body.mayApprove),
    });
    await announceRequest(this.deps.announcing, context, subscription);
    return subscription._id;
  }

  private async createWebhook(
    tenantId: string,
    body: NewEndpoint,
    mayApprove: boolean,
    claim?: ChangeClaim<CreatedEndpoint>,
  ): Promise<CreatedEndpoint> {
    const { secretBox } = this.deps;
    const url = checkTenantUrl(tenantId, body.url, this.deps);
    const filter = checkFilter(body.filter);
    checkLinksAllowed(body, this.deps.publicUrl);
    const policies = policyFields(body);
    const verification = verificationFields(body.verification, this.deps.publicUrl);
    const secret = checkSecret(body.secret) ?? newSecret();
    const id = newId('ep', this.deps.clock.wallMs());
    const credentials = credentialFields(body, id, this.deps);
    const insert = async (context: TenantChange): Promise<CreatedEndpoint> => {
      const { session, now } = context;
      if (body.allow_duplicate_url !== true) await this.refuseDuplicate(tenantId, id, url, session);
      const endpoint: EndpointDocument = {
        _id: id,
        tenant: tenantId,
        url,
        state: 'active',
        state_reason: null,
        format: body.format ?? 'standard',
        headers: {},
        ...credentials,
        description: body.description ?? null,
        ...policies,
        disable_after_seconds: body.disable_after_seconds ?? null,
        ...verification,
        secrets: [sealedSecret(secretBox, id, secret, now)],
        revision: 1,
        created_at: now,
        updated_at: now,
      };
      validateCombination(endpoint, body);
      const subscription_id = await this.insert(context, endpoint, { ...body, filter, mayApprove });
      return { ...this.toWebhookResource(endpoint), secret, subscription_id };
    };
    return changeTenant(this.deps, tenantId, insert, claim);
  }

  async get(tenantId: string, id: string): Promise<EndpointWithHealth> {
    const { endpoints } = this.deps.configuration;
    const endpoint = await endpoints.findOne({ _id: id, tenant: tenantId });
    if (endpoint !== null) {
      return { ...this.toResource(endpoint), health: await this.deps.health.get(endpoint) };
    }
    await checkTenantExists(this.deps.configuration, tenantId);
    throw notFound('endpoint', id);
  }

  async list(tenantId: string, query: EndpointListQuery): Promise<Page<EndpointResource>> {
    const { configuration } = this.deps;
    const { limit, order, status } = query;
    const list = boundList(SORT, await new CurrentLives(configuration).of(tenantId), query);
    const endpoints = await configuration.endpoints
      .find({ tenant: tenantId, ...afterId(list, query), ...anyOf('state', status) })
      .sort(idOrder(order))
      .limit(limit + 1)
      .toArray();
    return toPage(
      endpoints,
      limit,
      list,
      (endpoint) => [endpoint._id],
      (endpoint) => this.toResource(endpoint),
    );
  }

  async change(
    tenantId: string,
    id: string,
    body: EndpointChange,
    preconditions: Preconditions,
  ): Promise<EndpointResource> {
    checkLinksAllowed(body, this.deps.publicUrl);
    const fields: Partial<EndpointDocument> = credentialFields(body, id, this.deps);
    if (body.url !== undefined) fields.url = checkTenantUrl(tenantId, body.url, this.deps);
    if (body.format !== undefined) fields.format = body.format;
    if (body.description !== undefined) fields.description = body.description;
    if (body.disable_after_seconds !== undefined) {
      fields.disable_after_seconds = body.disable_after_seconds;
    }
    const { url } = fields;
    return changeTenant(this.deps, tenantId, async (context) => {
      const { session, now } = context;
      const known = await this.find(tenantId, id, session);
      checkPreconditions(preconditions, known.revision);
      checkChangeOfKind(body, known);
      if (body.poll !== undefined) fields.poll = pollFields(body.poll, known.poll);
      const policies = policyFields(body, known);
      if (url !== undefined && url !== known.url && body.allow_duplicate_url !== true) {
        await this.refuseDuplicate(tenantId, id, url, session);
      }
      validateCombination({ ...known, ...fields, ...policies }, body);
      const moved = url !== undefined && url !== known.url;
      Object.assign(fields, statusFields(known, { status: body.status, moved, now }));
      const activated = fields.state === 'active' && known.state !== 'active';
      // The endpoint gets the full failing time again.
      const since = activated || moved ? { health_since: now } : {};
      return this.toResource(
        await this.update(known, { ...fields, ...policies, ...since }, context),
      );
    });
  }

  /** Deletes the endpoint with its subscriptions; its history is kept. */
  async remove(tenantId: string, id: string, preconditions: Preconditions): Promise<void> {
    const { endpoints, subscriptions, idempotentAnswers } = this.deps.configuration;
    const lifeId = await changeTenant(this.deps, tenantId, async (context) => {
      const { session, tenant, now, size } = context;
      const known = await this.find(tenantId, id, session);
      checkPreconditions(preconditions, known.revision);
      await endpoints.deleteOne({ _id: id }, { session });
      size.removed('endpoints', known);
      const ofEndpoint = { tenant: tenantId, endpoint_id: id };
      const removed = [id];
      for await (const subscription of subscriptions.find(ofEndpoint, { session })) {
        size.removed('subscriptions', subscription);
        removed.push(subscription._id);
      }
      await removeAnswersOf(idempotentAnswers, removed, { session, now });
      await subscriptions.deleteMany(ofEndpoint, { session });
      return lifeIdOf({ id: tenantId, life: tenant.life });
    });
    this.deps.onRemoved(lifeId, id);
  }

  /**
   * Rotates the signing secret. Previous secrets keep signing alongside the new one until the
   * overlap ends.
   */
  async rotateSecret(
    tenantId: string,
    id: string,
    body: SecretRotation,
    preconditions: Preconditions,
    claim?: ChangeClaim<RotatedSecret>,
  ): Promise<RotatedSecret> {
    const { secretBox } = this.deps;
    const given = checkSecret(body.secret);
    const overlapMs = (body.overlap_seconds ?? DEFAULT_OVERLAP_SECONDS) * 1000;
    const rotate = async (context: TenantChange): Promise<RotatedSecret> => {
      const { session, now } = context;
      const known = await this.find(tenantId, id, session);
      checkPreconditions(preconditions, known.revision);
      checkHasSecrets(known);
      const secret = given ?? successorOf(secretBox, known);
      const until = new Date(now.getTime() + overlapMs);
      const fresh = sealedSecret(secretBox, id, secret, now);
      const secrets = rotateSecrets(known.secrets, fresh, until, now);
      await this.update(known, { secrets }, context);
      return {
        secret,
        public_key: publicKeyOf(secret) ?? null,
        previous_expires_at: until.toISOString(),
      };
    };
    return changeTenant(this.deps, tenantId, rotate, claim);
  }

  /**
   * Returns the resource without its secrets: they are shown once, to the caller that created them.
   */
  toResource(endpoint: EndpointDocument): EndpointResource {
    return endpoint.poll === undefined
      ? this.toWebhookResource(endpoint)
      : toPollResource(endpoint, endpoint.poll);
  }

  private toWebhookResource(
    endpoint: EndpointDocument,
  ): Extract<EndpointResource, { kind: 'webhook' }> {
    return {
      id: endpoint._id,
      tenant_id: endpoint.tenant,
      kind: 'webhook',
      url: shownUrl(endpoint.url),
      status: endpoint.state,
      status_reason: endpoint.state_reason,
      pause: toPauseResource(endpoint),
      verification: toVerificationResource(endpoint),
      format: endpoint.format,
      signing_secrets: toSecretResources(
        this.deps.secretBox,
        endpoint,
        new Date(this.deps.clock.wallMs()),
      ),
      ...toCredentialsResource(endpoint),
      description: endpoint.description,
      ...toPolicyResource(endpoint),
      disable_after_seconds: endpoint.disable_after_seconds ?? null,
      revision: endpoint.revision,
      created_at: endpoint.created_at.toISOString(),
      updated_at: endpoint.updated_at.toISOString(),
    };
  }

  private async find(
    tenantId: string,
    id: string,
    session: ClientSession,
  ): Promise<EndpointDocument> {
    const query = { _id: id, tenant: tenantId };
    const known = await this.deps.configuration.endpoints.findOne(query, { session });
    if (known === null) throw notFound('endpoint', id);
    return known;
  }

  private async update(
    known: EndpointDocument,
    fields: Partial<EndpointDocument>,
    { now, session, size }: TenantChange,
  ): Promise<EndpointDocument> {
    const changed = { ...known, ...fields, revision: known.revision + 1, updated_at: now };
    await this.deps.configuration.endpoints.replaceOne({ _id: known._id }, changed, { session });
    size.replaced('endpoints', known, changed);
    return changed;
  }

  /**
   * The changes of a tenant run one after the other (`changeTenant`), so no other request adds the
   * same URL in between.
   */
  private async refuseDuplicate(
    tenantId: string,
    id: string,
    url: string,
    session: ClientSession,
  ): Promise<void> {
    const query = { tenant: tenantId, url, _id: { $ne: id } };
    const other = await this.deps.configuration.endpoints.findOne(query, { session });
    if (other === null) return;
    throw new PosthornError('POSTHORN_ENDPOINT_URL_DUPLICATE', {
      detail: `${other._id} has this URL; send "allow_duplicate_url": true to use it twice`,
      fields: [{ pointer: '/url', detail: `is the URL of ${other._id}` }],
    });
  }
}
