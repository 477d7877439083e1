/** Manages API keys (CT-8). A key is shown once and stored as a digest. */
import { randomBytes } from 'node:crypto';
import type { ClientSession } from 'mongodb';
import type { Principal } from '#domain/authorization.ts';
import type { KeyScope } from '#domain/capabilities.ts';
import { PosthornError } from '#domain/errors.ts';
import { notFound } from '#domain/field-faults.ts';
import { newId } from '#domain/ids.ts';
import { keyHash } from '#infra/http/server/authenticate.ts';
import { anyOf } from '#infra/mongo/any-of.ts';
import type { ApiKeyDocument } from '#infra/mongo/configuration.ts';
import { removeAnswersOf } from '#infra/mongo/idempotent-answers.ts';
import { runTransaction } from '#infra/mongo/transaction.ts';
import type {
  ApiKeyChange,
  ApiKeyListQuery,
  ApiKeyResource,
  ApiKeyRotation,
  CreatedApiKey,
  NewApiKey,
} from '#wire/api/api-key.ts';
import { boundList, type Page, type PageSort, toPage } from '#wire/pagination.ts';
import { checkPreconditions, type Preconditions } from '#wire/revision.ts';
import { configKeys } from '#wire/subjects.ts';
import {
  changeTenant,
  type ConfigurationDeps,
  type TenantChange,
} from '../config-sync/change-tenant.ts';
import { storedRate } from '../resources/stored-rate.ts';
import { type ChangeClaim, withClaim } from '../idempotency/change-claim.ts';
import { afterId, idOrder } from '../resources/id-order.ts';
import {
  checkChangedKey,
  checkGrant,
  checkNewKey,
  isValid,
  toDate,
  toResource,
} from './key-rules.ts';

const SORT: PageSort = { name: 'keys', fields: ['string'] };
const KEY_BYTES = 24;
const OVERLAP_SECONDS = 24 * 3600;

/** The letter of each scope in the key, so that people and secret scanners recognize it. */
const SCOPE_LETTERS: Record<KeyScope, string> = { platform: 'p', producer: 'e', tenant: 't' };

export class ApiKeys {
  private readonly deps: ConfigurationDeps;

  constructor(deps: ConfigurationDeps) {
    this.deps = deps;
  }

  /** @throws PosthornError POSTHORN_KEY_SCOPE, if the caller lacks a capability of the key */
  async create(
    body: NewApiKey,
    caller: Principal,
    claim?: ChangeClaim<CreatedApiKey>,
  ): Promise<CreatedApiKey> {
    const { mongo, clock, publish } = this.deps;
    const expiresAt = checkNewKey(body, clock.wallMs());
    checkGrant(caller, body);
    const { key, document } = newKey(clock.wallMs(), {
      scope: body.scope,
      ...(body.capabilities === undefined ? {} : { capabilities: body.capabilities }),
      tenant: body.tenant_id ?? null,
      name: body.name ?? null,
      expires_at: expiresAt,
      rate_limit: body.rate_limit ? storedRate(body.rate_limit, null) : null,
    });
    const insert = async (session: ClientSession, life?: number): Promise<CreatedApiKey> => {
      const ofLife = life === undefined ? document : { ...document, life };
      await this.deps.configuration.apiKeys.insertOne(ofLife, { session });
      return { ...toResource(document, undefined), key };
    };
    // As a change of the tenant: a tenant that is deleted at the same time keeps no key.
    const inTenant = ({ session, tenant: { life } }: TenantChange) => insert(session, life);
    const created = await (body.tenant_id === undefined
      ? runTransaction(
          mongo,
          clock,
          withClaim(claim, (session) => insert(session)),
        )
      : changeTenant(this.deps, body.tenant_id, inTenant, claim));
    await publish(configKeys.apiKey(document._id));
    return created;
  }

  async list(query: ApiKeyListQuery): Promise<Page<ApiKeyResource>> {
    const { limit, order, tenant_id: tenantIds, scope } = query;
    const list = boundList(SORT, '', query);
    const filters = { ...anyOf('tenant', tenantIds), ...anyOf('scope', scope) };
    const keys = await this.deps.configuration.apiKeys
      .find({ ...afterId(list, query, 'id'), ...filters })
      .sort(idOrder(order, 'id'))
      .limit(limit + 1)
      .toArray();
    const uses = await this.usesOf(keys);
    return toPage(
      keys,
      limit,
      list,
      (key) => [key.id],
      (key) => toResource(key, uses.get(key.id)),
    );
  }

  /** @throws PosthornError POSTHORN_RESOURCE_UNKNOWN */
  async get(id: string): Promise<ApiKeyResource> {
    return this.show(await this.find(id));
  }

  /**
   * Changes the name, the capabilities, the expiry or the rate limit.
   *
   * @throws PosthornError POSTHORN_RESOURCE_UNKNOWN, POSTHORN_PRECONDITION_FAILED,
   * POSTHORN_KEY_SCOPE, POSTHORN_KEY_ENDED
   */
  async change(
    id: string,
    body: ApiKeyChange,
    caller: Principal,
    preconditions: Preconditions,
  ): Promise<ApiKeyResource> {
    const { configuration, mongo, clock, publish } = this.deps;
    const changed = await runTransaction(mongo, clock, async (session) => {
      const known = await this.find(id, session);
      checkPreconditions(preconditions, known.revision);
      checkChangedKey(known.scope, body, clock.wallMs());
      requireValid(known, new Date(clock.wallMs()));
      const next: ApiKeyDocument = { ...known, revision: known.revision + 1 };
      if (body.name !== undefined) next.name = body.name;
      if (body.expires_at !== undefined) next.expires_at = toDate(body.expires_at);
      if (body.rate_limit === null) next.rate_limit = null;
      else if (body.rate_limit !== undefined) {
        next.rate_limit = storedRate(body.rate_limit, known.rate_limit);
      }
      if (body.capabilities === null) delete next.capabilities;
      else if (body.capabilities !== undefined) next.capabilities = body.capabilities;
      checkGrant(caller, next);
      await configuration.apiKeys.replaceOne({ _id: known._id }, next, { session });
      return next;
    });
    await publish(configKeys.apiKey(changed._id));
    return this.show(changed);
  }

  /**
   * Creates a key with the settings of another one, which expires when the overlap ends. Both
   * changes are one transaction: no crash leaves a caller without a valid key.
   *
   * @throws PosthornError POSTHORN_RESOURCE_UNKNOWN, POSTHORN_KEY_SCOPE, POSTHORN_KEY_ENDED for a
   * key that was rotated too
   */
  async rotate(
    id: string,
    body: ApiKeyRotation,
    { caller, headers }: { caller: Principal; headers: Preconditions },
    claim?: ChangeClaim<CreatedApiKey>,
  ): Promise<CreatedApiKey> {
    const { configuration, mongo, clock, publish } = this.deps;
    const overlapMs = (body.overlap_seconds ?? OVERLAP_SECONDS) * 1000;
    const rotate = async (session: ClientSession): Promise<CreatedApiKey> => {
      const nowMs = clock.wallMs();
      const known = await this.find(id, session);
      checkPreconditions(headers, known.revision);
      requireValid(known, new Date(nowMs));
      if (known.replaced_by !== undefined) throw ended(id, 'was rotated');
      checkChangedKey(known.scope, body, nowMs);
      checkGrant(caller, known);
      const { scope, tenant, name, life, capabilities } = known;
      const { key, document } = newKey(nowMs, {
        scope,
        tenant,
        name,
        ...(life === undefined ? {} : { life }),
        ...(capabilities === undefined ? {} : { capabilities }),
        rate_limit: known.rate_limit ?? null,
        expires_at: body.expires_at === undefined ? known.expires_at : toDate(body.expires_at),
      });
      const overlapEnd = new Date(nowMs + overlapMs);
      const expiresAt =
        known.expires_at !== null && known.expires_at < overlapEnd ? known.expires_at : overlapEnd;
      await configuration.apiKeys.insertOne(document, { session });
      await configuration.apiKeys.updateOne(
        { _id: known._id },
        { $set: { expires_at: expiresAt, replaced_by: document.id }, $inc: { revision: 1 } },
        { session },
      );
      return { ...toResource(document, undefined), key };
    };
    const created = await runTransaction(mongo, clock, withClaim(claim, rotate));
    const old = await this.find(id);
    await Promise.all(
      [keyHash(created.key), old._id].map((hash) => publish(configKeys.apiKey(hash))),
    );
    return created;
  }

  /**
   * Revoking a key again changes nothing.
   *
   * @throws PosthornError POSTHORN_RESOURCE_UNKNOWN, POSTHORN_PRECONDITION_FAILED
   */
  async revoke(id: string, preconditions: Preconditions): Promise<void> {
    const { configuration, mongo, clock, publish } = this.deps;
    const key = await runTransaction(mongo, clock, async (session) => {
      const known = await this.find(id, session);
      checkPreconditions(preconditions, known.revision);
      const now = new Date(clock.wallMs());
      await configuration.apiKeys.updateOne(
        { id, revoked_at: null },
        { $set: { revoked_at: now }, $inc: { revision: 1 } },
        { session },
      );
      await removeAnswersOf(configuration.idempotentAnswers, [id], { session, now });
      return known;
    });
    await publish(configKeys.apiKey(key._id));
  }

  /** @throws PosthornError POSTHORN_RESOURCE_UNKNOWN */
  async find(id: string, session?: ClientSession): Promise<ApiKeyDocument> {
    const options = session === undefined ? {} : { session };
    const key = await this.deps.configuration.apiKeys.findOne({ id }, options);
    if (key === null) throw notFound('API key', id);
    return key;
  }

  private async show(key: ApiKeyDocument): Promise<ApiKeyResource> {
    return toResource(key, (await this.usesOf([key])).get(key.id));
  }

  private async usesOf(keys: ApiKeyDocument[]): Promise<Map<string, Date>> {
    const ids = keys.map(({ id }) => id);
    const uses = await this.deps.configuration.apiKeyUses.find({ _id: { $in: ids } }).toArray();
    return new Map(uses.map(({ _id, last_used_at }) => [_id, last_used_at]));
  }
}

type KeySettings = Omit<ApiKeyDocument, '_id' | 'id' | 'revision' | 'created_at' | 'revoked_at'>;

function newKey(nowMs: number, settings: KeySettings): { key: string; document: ApiKeyDocument } {
  const letter = SCOPE_LETTERS[settings.scope];
  const key = `phk_${letter}_${randomBytes(KEY_BYTES).toString('base64url')}`;
  const id = newId('key', nowMs);
  const created = { revision: 1, created_at: new Date(nowMs), revoked_at: null };
  return { key, document: { _id: keyHash(key), id, ...settings, ...created } };
}

/** @throws PosthornError POSTHORN_KEY_ENDED */
function requireValid(key: ApiKeyDocument, now: Date): void {
  if (isValid(key, now)) return;
  throw ended(key.id, key.revoked_at === null ? 'has expired' : 'was revoked');
}

function ended(id: string, how: string): PosthornError {
  return new PosthornError('POSTHORN_KEY_ENDED', { detail: `API key ${id} ${how}` });
}
