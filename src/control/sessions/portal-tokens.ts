/** Manages portal tokens (CT-8). A token is shown once and stored as a digest. */
import type { ClientSession, MongoClient } from 'mongodb';
import type { Clock } from '#domain/clock.ts';
import { PosthornError } from '#domain/errors.ts';
import { notFound, tenantNotFound } from '#domain/field-faults.ts';
import { newId } from '#domain/ids.ts';
import { limits } from '#domain/limits.ts';
import { lifeOf, tenantIdOf } from '#domain/tenant.ts';
import { keyHash } from '#infra/http/server/authenticate.ts';
import type { Configuration } from '#infra/mongo/configuration.ts';
import type { SessionDocument } from '#infra/mongo/sessions.ts';
import { runTransaction } from '#infra/mongo/transaction.ts';
import type { OrderedPageQuery } from '#wire/api/page.ts';
import type {
  CreatedPortalToken,
  NewPortalToken,
  PortalTokenResource,
} from '#wire/api/portal/portal-token.ts';
import { boundList, type Page, type PageSort, toPage } from '#wire/pagination.ts';
import { type ChangeClaim, withClaim } from '../idempotency/change-claim.ts';
import { afterId, idOrder } from '../resources/id-order.ts';
import { newSecret, type SessionStore, tenantRevocation } from './session-store.ts';

const SORT: PageSort = { name: 'portal_tokens', fields: ['string'] };

export interface PortalTokensDeps {
  mongo: MongoClient;
  configuration: Configuration;
  store: Pick<SessionStore, 'deny' | 'revoke'>;
  /** Origin of the portal; undefined: tokens have no link. */
  publicUrl: string | undefined;
  clock: Clock;
}

export class PortalTokens {
  private readonly deps: PortalTokensDeps;

  constructor(deps: PortalTokensDeps) {
    this.deps = deps;
  }

  /** @throws PosthornError POSTHORN_TENANT_UNKNOWN, POSTHORN_LIMIT_EXCEEDED */
  async create(
    tenantId: string,
    body: NewPortalToken,
    claim?: ChangeClaim<CreatedPortalToken>,
  ): Promise<CreatedPortalToken> {
    const { mongo, configuration, clock, publicUrl } = this.deps;
    const token = newSecret('token');
    const insert = async (session: ClientSession): Promise<CreatedPortalToken> => {
      const tenant = await configuration.tenants.findOne(
        { _id: tenantId },
        { session, projection: { life: 1 } },
      );
      if (tenant === null) throw tenantNotFound(tenantId);
      await this.checkRoom(tenantId, session);
      const document = newDocument(body, tenantId, tenant.life, clock.wallMs());
      await configuration.sessions.insertOne(
        { ...document, token_hash: keyHash(token) },
        { session },
      );
      const link = publicUrl === undefined ? null : `${publicUrl}/portal#token=${token}`;
      return { ...this.toResource(document), token, link };
    };
    return runTransaction(mongo, clock, withClaim(claim, insert));
  }

  /** Lists the tokens of one life of a tenant. */
  async list(lifeId: string, query: OrderedPageQuery): Promise<Page<PortalTokenResource>> {
    const { limit, order } = query;
    const list = boundList(SORT, lifeId, query);
    const found = await this.deps.configuration.sessions
      .find({ ...ofLife(lifeId), ...afterId(list, query) })
      .sort(idOrder(order))
      .limit(limit + 1)
      .toArray();
    return toPage(
      found,
      limit,
      list,
      ({ _id }) => [_id],
      (each) => this.toResource(each),
    );
  }

  async get(lifeId: string, id: string): Promise<PortalTokenResource> {
    return this.toResource(await this.find(lifeId, id));
  }

  /** @throws PosthornError POSTHORN_RESOURCE_UNKNOWN */
  async find(lifeId: string, id: string): Promise<SessionDocument> {
    const found = await this.deps.configuration.sessions.findOne({ _id: id, ...ofLife(lifeId) });
    if (found === null) throw notFound('portal token', id);
    return found;
  }

  /** Revokes a token and its session. Revoking again changes nothing. */
  async revoke(lifeId: string, id: string): Promise<void> {
    await this.deps.store.revoke(await this.find(lifeId, id));
  }

  /** Revokes all tokens and sessions of one life of a tenant. @returns how many were valid */
  async revokeAll(lifeId: string): Promise<number> {
    const { configuration, store, clock } = this.deps;
    const now = new Date(clock.wallMs());
    const { modifiedCount } = await configuration.sessions.updateMany(
      { ...ofLife(lifeId), revoked_at: null, expires_at: { $gt: now } },
      { $set: { revoked_at: now } },
    );
    await store.deny(tenantRevocation(lifeId), lastExpiry(now));
    return modifiedCount;
  }

  private async checkRoom(tenant: string, session: ClientSession): Promise<void> {
    const { configuration, clock } = this.deps;
    const most = limits.portalTokensPerTenantMax;
    const valid = { tenant, revoked_at: null, expires_at: { $gt: new Date(clock.wallMs()) } };
    const count = await configuration.sessions.countDocuments(valid, { session, limit: most });
    if (count < most) return;
    const detail = `tenant ${tenant} has ${most} valid portal tokens; revoke some`;
    throw new PosthornError('POSTHORN_LIMIT_EXCEEDED', { detail });
  }

  private toResource(document: SessionDocument): PortalTokenResource {
    const { exchanged_at, revoked_at } = document;
    return {
      id: document._id,
      status: this.statusOf(document),
      tenant_id: document.tenant ?? '',
      capabilities: document.capabilities as PortalTokenResource['capabilities'],
      event_types: document.event_types ?? null,
      theme: document.theme ?? null,
      created_at: document.created_at.toISOString(),
      expires_at: document.expires_at.toISOString(),
      exchanged_at: exchanged_at?.toISOString() ?? null,
      revoked_at: revoked_at?.toISOString() ?? null,
    };
  }

  private statusOf({ revoked_at, expires_at, exchanged_at }: SessionDocument) {
    if (revoked_at !== null) return 'revoked';
    if (expires_at.getTime() <= this.deps.clock.wallMs()) return 'expired';
    return exchanged_at === null ? 'active' : 'exchanged';
  }
}

/** Later than every session of today. */
export function lastExpiry(now: Date): Date {
  return new Date(now.getTime() + limits.portalTokenSecondsMax * 1000);
}

function ofLife(lifeId: string) {
  const life = lifeOf(lifeId);
  return { tenant: tenantIdOf(lifeId), life: life === 0 ? { $in: [null, 0] as never[] } : life };
}

function newDocument(
  body: NewPortalToken,
  tenant: string,
  life: number | undefined,
  nowMs: number,
): SessionDocument {
  const seconds = body.expires_in_seconds ?? limits.portalTokenSecondsMin;
  return {
    _id: newId('ses', nowMs),
    kind: 'portal',
    tenant,
    ...(life === undefined ? {} : { life }),
    capabilities: body.capabilities ?? ['view'],
    ...(body.event_types === undefined ? {} : { event_types: body.event_types }),
    ...(body.theme === undefined ? {} : { theme: body.theme }),
    created_at: new Date(nowMs),
    expires_at: new Date(nowMs + seconds * 1000),
    exchanged_at: null,
    revoked_at: null,
  };
}
