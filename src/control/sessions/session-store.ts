import { randomBytes } from 'node:crypto';
import type { ClientSession } from 'mongodb';
import type { Principal } from '#domain/authorization.ts';
import type { Clock } from '#domain/clock.ts';
import { PosthornError } from '#domain/errors.ts';
import { notFound } from '#domain/field-faults.ts';
import { limits } from '#domain/limits.ts';
import { lifeIdOf } from '#domain/tenant.ts';
import { keyHash } from '#infra/http/server/authenticate.ts';
import type { Configuration } from '#infra/mongo/configuration.ts';
import type { SessionDocument } from '#infra/mongo/sessions.ts';
import type { Revocations } from '#wire/config-snapshot.ts';
import { configKeys } from '#wire/subjects.ts';

const SECRET_BYTES = 24;
/** A cached session is read again after this time: a revocation counts while NATS is down. */
const COOKIE_KEPT_MS = 60_000;
/** A token is read again sooner: another process may have exchanged it. */
const TOKEN_KEPT_MS = 1000;

export type SecretKind = 'token' | 'cookie';

const PREFIXES: Record<SecretKind, string> = { token: 'pht_', cookie: 'phs_' };

export interface SessionStoreDeps {
  configuration: Pick<Configuration, 'sessions' | 'sessionRevocations' | 'tenants'>;
  revocations: Revocations;
  /** Brings a key of the bucket CONFIG up to date. */
  publish: (key: string) => Promise<void>;
  clock: Clock;
}

interface Cached {
  session: SessionDocument;
  /** Revisions of the entries of the deny list at the time it was read. */
  revisions: string;
  readAtMs: number;
}

/**
 * Finds sessions by their secrets. MongoDB is the source of truth. A session that was found is
 * cached until an entry of the deny list, in the bucket CONFIG, says that it has changed: revoking
 * is in force within a second in every process. While NATS is down, it takes a minute at most.
 *
 * Bound: caches `limits.sessionsRemembered` sessions.
 */
export class SessionStore {
  private readonly deps: SessionStoreDeps;
  /** By the digest of the secret. */
  private readonly cache = new Map<string, Cached>();

  constructor(deps: SessionStoreDeps) {
    this.deps = deps;
  }

  /**
   * Finds a valid session. A promise only if MongoDB has to be read.
   *
   * @throws PosthornError POSTHORN_KEY_INVALID
   */
  find(kind: SecretKind, secret: string): SessionDocument | Promise<SessionDocument> {
    const hash = keyHash(secret);
    const cached = this.cache.get(hash);
    const keptMs = kind === 'cookie' ? COOKIE_KEPT_MS : TOKEN_KEPT_MS;
    if (cached !== undefined && this.isFresh(cached, keptMs))
      return this.check(kind, cached.session);
    return this.read(kind, hash);
  }

  /** @throws PosthornError POSTHORN_RESOURCE_UNKNOWN */
  async get(id: string): Promise<SessionDocument> {
    const found = await this.deps.configuration.sessions.findOne({ _id: id });
    if (found === null) throw notFound('session', id);
    return found;
  }

  /**
   * Exchanges a portal token for a cookie, once: of requests at the same time one succeeds.
   *
   * @throws PosthornError POSTHORN_KEY_INVALID
   */
  async exchange(token: string): Promise<{ session: SessionDocument; cookie: string }> {
    const now = new Date(this.deps.clock.wallMs());
    const cookie = newSecret('cookie');
    await this.find('token', token);
    // A crash after this line loses the cookie: the token stays used, and a new one is needed.
    const session = await this.deps.configuration.sessions.findOneAndUpdate(
      {
        token_hash: keyHash(token),
        exchanged_at: null,
        revoked_at: null,
        expires_at: { $gt: now },
      },
      { $set: { exchanged_at: now, cookie_hash: keyHash(cookie) } },
      { returnDocument: 'after' },
    );
    this.cache.delete(keyHash(token));
    if (session === null) throw invalid('was exchanged already');
    return { session, cookie };
  }

  /** Returns the seconds until the session expires. */
  secondsLeft({ expires_at }: SessionDocument): number {
    return (expires_at.getTime() - this.deps.clock.wallMs()) / 1000;
  }

  /** Revokes a session now. Revoking again changes nothing. */
  async revoke({ _id, expires_at }: SessionDocument): Promise<void> {
    const { configuration, clock } = this.deps;
    const now = new Date(clock.wallMs());
    await configuration.sessions.updateOne(
      { _id, revoked_at: null },
      { $set: { revoked_at: now } },
    );
    // A crash before this line: the repeat of the request writes it, or the cache ends.
    await this.deny(_id, expires_at);
  }

  /** Writes an entry of the deny list and publishes it. @param expiresAt when it may go */
  async deny(name: string, expiresAt: Date): Promise<void> {
    const { configuration, publish, clock } = this.deps;
    await addRevocation(configuration, { name, expiresAt, nowMs: clock.wallMs() });
    await publish(configKeys.revocation(name));
  }

  private isFresh({ session, revisions, readAtMs }: Cached, keptMs: number): boolean {
    const age = this.deps.clock.monotonicMs() - readAtMs;
    return age < keptMs && revisions === this.revisionsOf(session);
  }

  private async read(kind: SecretKind, hash: string): Promise<SessionDocument> {
    const { sessions } = this.deps.configuration;
    this.cache.delete(hash);
    const field = kind === 'token' ? 'token_hash' : 'cookie_hash';
    const majority = { readConcern: { level: 'majority' } } as const;
    const named = await sessions.findOne({ [field]: hash }, majority);
    if (named === null) throw invalid('is not known');
    // Read again after the deny list: a change in between is in the document, or in a later entry.
    const revisions = this.revisionsOf(named);
    const readAtMs = this.deps.clock.monotonicMs();
    const session = await sessions.findOne({ _id: named._id }, majority);
    if (session === null) throw invalid('is not known');
    this.check(kind, session);
    await this.checkLife(session);
    this.cache.set(hash, { session, revisions, readAtMs });
    const [oldest] = this.cache.keys();
    if (this.cache.size > limits.sessionsRemembered) this.cache.delete(oldest as string);
    return session;
  }

  private check(kind: SecretKind, session: SessionDocument): SessionDocument {
    if (session.revoked_at !== null) throw invalid('was revoked');
    if (session.expires_at.getTime() <= this.deps.clock.wallMs()) throw invalid('has expired');
    if (kind === 'token' && session.exchanged_at !== null) throw invalid('was exchanged already');
    return session;
  }

  private async checkLife({ tenant, life }: SessionDocument): Promise<void> {
    if (tenant === undefined) return;
    const projection = { life: 1 };
    const known = await this.deps.configuration.tenants.findOne({ _id: tenant }, { projection });
    if (known === null || (known.life ?? 0) !== (life ?? 0))
      throw invalid('is of a deleted tenant');
  }

  private revisionsOf({ _id, tenant, life }: SessionDocument): string {
    const { revocations } = this.deps;
    const own = revocations.revocation(_id);
    if (tenant === undefined) return `${own}`;
    return `${own}/${revocations.revocation(tenantRevocation(lifeIdOf({ id: tenant, life })))}`;
  }
}

/**
 * Adds an entry to the deny list, or raises its revision. It is at least the clock, so that an
 * entry that expired and is written again differs from the earlier one.
 */
export async function addRevocation(
  { sessionRevocations }: Pick<Configuration, 'sessionRevocations'>,
  { name, expiresAt, nowMs }: { name: string; expiresAt: Date; nowMs: number },
  session?: ClientSession,
): Promise<void> {
  const revision = { $max: [{ $add: [{ $ifNull: ['$revision', 0] }, 1] }, nowMs] };
  const expires = { $max: ['$expires_at', expiresAt] };
  await sessionRevocations.updateOne({ _id: name }, [{ $set: { revision, expires_at: expires } }], {
    upsert: true,
    ...(session === undefined ? {} : { session }),
  });
}

/** The entry of the deny list for all sessions of one life of a tenant. */
export function tenantRevocation(lifeId: string): string {
  return `tenant.${lifeId}`;
}

export function newSecret(kind: SecretKind): string {
  return PREFIXES[kind] + randomBytes(SECRET_BYTES).toString('base64url');
}

export function isSecretOf(kind: SecretKind, text: string): boolean {
  return text.startsWith(PREFIXES[kind]) && text.length <= limits.keyLengthMax;
}

/** The rights of the holder of a session. */
export function principalOfSession(session: SessionDocument): Principal {
  const { _id: keyId, capabilities, tenant, life, event_types: eventTypes } = session;
  if (tenant === undefined) return { keyId, scope: 'platform', capabilities };
  const principal: Principal = { keyId, scope: 'tenant', tenant, capabilities };
  if (life !== undefined) principal.life = life;
  if (eventTypes !== undefined) principal.eventTypes = eventTypes;
  return principal;
}

function invalid(why: string): PosthornError {
  return new PosthornError('POSTHORN_KEY_INVALID', { detail: `the session or its token ${why}` });
}
