/** Manages API keys (CT-8). A key is shown once and stored as a digest. */
import { randomBytes } from 'node:crypto';
import type { ClientSession, Filter } from 'mongodb';
import { type FieldError, PosthornError } from '#domain/errors.ts';
import { notFound } from '#domain/field-faults.ts';
import { newId } from '#domain/ids.ts';
import { keyHash } from '#infra/http/server/authenticate.ts';
import type { ApiKeyDocument } from '#infra/mongo/configuration.ts';
import type { ApiKeyResource, CreatedApiKey, NewApiKey } from '#wire/api/api-key.ts';
import type { PageQuery } from '#wire/api/page.ts';
import type { KeyScope } from '#domain/authorization.ts';
import { decodeCursor, type Page, type PageSort, toPage } from '#wire/pagination.ts';
import { runTransaction } from '#infra/mongo/transaction.ts';
import { configKeys } from '#wire/subjects.ts';
import {
  changeTenant,
  type ConfigurationDeps,
  type TenantChange,
} from '../config-sync/change-tenant.ts';
import { type ChangeClaim, withClaim } from '../idempotency/change-claim.ts';

const SORT: PageSort = { name: 'keys', fields: ['string'] };
const KEY_BYTES = 24;

/** The letter of each scope in the key, so that people and secret scanners recognize it. */
const SCOPE_LETTERS: Record<KeyScope, string> = { platform: 'p', producer: 'e', tenant: 't' };

export type ApiKeyListQuery = PageQuery & { tenant?: string; scope?: KeyScope };

export class ApiKeys {
  private readonly deps: ConfigurationDeps;

  constructor(deps: ConfigurationDeps) {
    this.deps = deps;
  }

  async create(body: NewApiKey, claim?: ChangeClaim<CreatedApiKey>): Promise<CreatedApiKey> {
    const { configuration, mongo, clock, publish } = this.deps;
    const expiresAt = checkNewKey(body, clock.wallMs());
    const key = `phk_${SCOPE_LETTERS[body.scope]}_${randomBytes(KEY_BYTES).toString('base64url')}`;
    const document: ApiKeyDocument = {
      _id: keyHash(key),
      id: newId('key', clock.wallMs()),
      scope: body.scope,
      tenant: body.tenant ?? null,
      name: body.name ?? null,
      revision: 1,
      created_at: new Date(clock.wallMs()),
      expires_at: expiresAt,
      revoked_at: null,
    };
    const insert = async (session: ClientSession, life?: number): Promise<CreatedApiKey> => {
      const ofLife = life === undefined ? document : { ...document, life };
      await configuration.apiKeys.insertOne(ofLife, { session });
      return { ...toResource(document), key };
    };
    // As a change of the tenant: a tenant that is deleted at the same time keeps no key.
    const inTenant = ({ session, tenant: { life } }: TenantChange) => insert(session, life);
    const created = await (body.tenant === undefined
      ? runTransaction(
          mongo,
          clock,
          withClaim(claim, (session) => insert(session)),
        )
      : changeTenant(this.deps, body.tenant, inTenant, claim));
    await publish(configKeys.apiKey(document._id));
    return created;
  }

  async list(query: ApiKeyListQuery): Promise<Page<ApiKeyResource>> {
    const { limit, cursor, tenant, scope } = query;
    const filter: Filter<ApiKeyDocument> = {};
    if (cursor !== undefined) filter.id = { $gt: decodeCursor(SORT, cursor)[0] as string };
    if (tenant !== undefined) filter.tenant = tenant;
    if (scope !== undefined) filter.scope = scope;
    const keys = await this.deps.configuration.apiKeys
      .find(filter)
      .sort({ id: 1 })
      .limit(limit + 1)
      .toArray();
    return toPage(keys, limit, SORT, (key) => [key.id], toResource);
  }

  /** Revoking a key again changes nothing. */
  async revoke(id: string): Promise<void> {
    const { configuration, clock, publish } = this.deps;
    await configuration.apiKeys.updateOne(
      { id, revoked_at: null },
      { $set: { revoked_at: new Date(clock.wallMs()) }, $inc: { revision: 1 } },
    );
    const key = await this.find(id);
    await publish(configKeys.apiKey(key._id));
  }

  /** @throws PosthornError POSTHORN_RESOURCE_UNKNOWN */
  async find(id: string): Promise<ApiKeyDocument> {
    const key = await this.deps.configuration.apiKeys.findOne({ id });
    if (key === null) throw notFound('API key', id);
    return key;
  }
}

function checkNewKey(body: NewApiKey, nowMs: number): Date | null {
  const fields: FieldError[] = [];
  if (body.scope === 'tenant' && body.tenant === undefined) {
    fields.push({ pointer: '/tenant', detail: 'is required for the scope tenant' });
  }
  if (body.scope === 'platform' && body.tenant !== undefined) {
    fields.push({ pointer: '/tenant', detail: 'must be absent for the scope platform' });
  }
  const expiresAt = body.expires_at === undefined ? null : new Date(body.expires_at);
  // Negated, so that an invalid date is rejected too.
  if (expiresAt !== null && !(expiresAt.getTime() > nowMs)) {
    fields.push({ pointer: '/expires_at', detail: 'must be in the future' });
  }
  if (fields.length > 0) {
    const detail = fields.map((field) => `${field.pointer} ${field.detail}`).join('; ');
    throw new PosthornError('POSTHORN_REQUEST_INVALID', { detail, fields });
  }
  return expiresAt;
}

/** Returns the resource, without the key and its digest. */
function toResource(key: ApiKeyDocument): ApiKeyResource {
  return {
    id: key.id,
    scope: key.scope,
    tenant: key.tenant,
    name: key.name,
    created_at: key.created_at.toISOString(),
    expires_at: key.expires_at?.toISOString() ?? null,
    revoked_at: key.revoked_at?.toISOString() ?? null,
  };
}
