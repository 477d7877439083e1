import { hash } from 'node:crypto';
import type { Clock } from '#domain/clock.ts';
import { PosthornError } from '#domain/errors.ts';
import type { ConfigView, KeyScope } from '#wire/config-snapshot.ts';

/** The API key of a request, and its scope. */
export interface Principal {
  keyId: string;
  scope: KeyScope;
  /**
   * Always set for scope `tenant`, for scope `producer` where the key is bound, never for
   * `platform`.
   */
  tenant?: string;
  /** The life of the tenant that the key is bound to; absent: 0. */
  life?: number;
}

export interface AuthenticatorDeps {
  config: Pick<ConfigView, 'apiKey' | 'currentTenant'>;
  /**
   * A platform key that is accepted in addition to the configured ones (`POSTHORN_BOOTSTRAP_KEY`).
   */
  bootstrapKey?: string | undefined;
  clock: Clock;
}

export type Authenticate = (authorization: string | undefined) => Principal;

const BEARER = /^bearer +([\x21-\x7e]{1,256}) *$/i;

/** The digest under which a key is stored and looked up, in hex. */
export function keyHash(key: string): string {
  return hash('sha256', key, 'hex');
}

/**
 * Creates the function that finds the key of an `authorization` header (RFC 6750, section 2.1).
 * Keys are random and are compared by their SHA-256 alone. The time to compare digests reveals
 * nothing about a key, since a caller cannot choose the digest of a guess.
 *
 * @returns a function that throws PosthornError POSTHORN_KEY_MISSING or POSTHORN_KEY_INVALID
 */
export function createAuthenticator(deps: AuthenticatorDeps): Authenticate {
  const { config, clock } = deps;
  const bootstrapHash = deps.bootstrapKey === undefined ? undefined : keyHash(deps.bootstrapKey);
  const bootstrap: Principal = { keyId: 'key_bootstrap', scope: 'platform' };
  return (authorization) => {
    if (authorization === undefined || authorization === '') {
      throw new PosthornError('POSTHORN_KEY_MISSING', {
        detail: 'send the header "authorization: Bearer <key>"',
      });
    }
    const match = BEARER.exec(authorization);
    if (match === null) {
      throw new PosthornError('POSTHORN_KEY_INVALID', {
        detail: 'the header "authorization" is not "Bearer <key>"',
      });
    }
    const digest = keyHash(match[1] as string);
    if (digest === bootstrapHash) return bootstrap;
    const key = config.apiKey(digest);
    if (key === undefined) throw new PosthornError('POSTHORN_KEY_INVALID');
    if (key.expiresAtMs !== undefined && key.expiresAtMs <= clock.wallMs()) {
      throw new PosthornError('POSTHORN_KEY_INVALID', { detail: 'the API key has expired' });
    }
    if (key.tenant === undefined) return { keyId: key.id, scope: key.scope };
    // The key's tenant was deleted and created again: its revocation may not be known here yet.
    const life = config.currentTenant(key.tenant)?.life ?? 0;
    if (life > (key.life ?? 0)) throw new PosthornError('POSTHORN_KEY_INVALID');
    const principal: Principal = { keyId: key.id, scope: key.scope, tenant: key.tenant };
    if (key.life !== undefined) principal.life = key.life;
    return principal;
  };
}

/**
 * An action in a tenant. `publish`: send events to it. `read`: read its settings, endpoints and
 * history. `manage`: change its endpoints and subscriptions.
 */
export type TenantAction = 'publish' | 'read' | 'manage';

/**
 * Checks that a key may act in a tenant.
 *
 * - Platform key: Every action in every tenant.
 * - Producer key: Publishing, to every tenant or to the one it is bound to.
 * - Tenant key: Reading and managing its own tenant. It may not publish: a tenant receives events,
 *   and one that could publish could forge the producer's events.
 *
 * The key alone decides, before any look-up: for a tenant out of scope the answer is the same 403,
 * whether that tenant exists or not.
 *
 * @throws PosthornError POSTHORN_KEY_SCOPE
 */
export function requireTenant(principal: Principal, tenant: string, action: TenantAction): void {
  if (principal.scope === 'platform') return;
  const reaches = principal.tenant === undefined || principal.tenant === tenant;
  if (principal.scope === 'producer' ? action !== 'publish' : action === 'publish') {
    throw new PosthornError('POSTHORN_KEY_SCOPE', {
      detail: `a key of scope ${principal.scope} may not do this (${action})`,
    });
  }
  const bound = principal.scope === 'producer' || principal.tenant !== undefined;
  if (!reaches || !bound) {
    throw new PosthornError('POSTHORN_KEY_SCOPE', {
      detail: 'the key does not reach this tenant',
    });
  }
}

/**
 * Checks that a key may publish to every tenant, and so publish a broadcast: platform keys, and
 * unbound producer keys.
 *
 * @throws PosthornError POSTHORN_KEY_SCOPE
 */
export function requireBroadcast(principal: Principal): void {
  if (principal.scope === 'platform') return;
  if (principal.scope === 'producer' && principal.tenant === undefined) return;
  throw new PosthornError('POSTHORN_KEY_SCOPE', {
    detail: 'an event to every tenant needs a platform key, or a producer key bound to no tenant',
  });
}

/** Accepts platform keys only. @throws PosthornError POSTHORN_KEY_SCOPE */
export function requirePlatform(principal: Principal): void {
  if (principal.scope !== 'platform') {
    throw new PosthornError('POSTHORN_KEY_SCOPE', { detail: 'this needs a platform key' });
  }
}
