import { hash } from 'node:crypto';
import type { Principal } from '#domain/authorization.ts';
import type { Clock } from '#domain/clock.ts';
import { PosthornError } from '#domain/errors.ts';
import type { ConfigView } from '#wire/config-snapshot.ts';

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
    const principal: Principal = { keyId: key.id, scope: key.scope };
    if (key.capabilities !== undefined) principal.capabilities = key.capabilities;
    if (key.rateLimit !== undefined) principal.rateLimit = key.rateLimit;
    if (key.tenant === undefined) return principal;
    // The key's tenant was deleted and created again: its revocation may not be known here yet.
    const life = config.currentTenant(key.tenant)?.life ?? 0;
    if (life > (key.life ?? 0)) throw new PosthornError('POSTHORN_KEY_INVALID');
    principal.tenant = key.tenant;
    if (key.life !== undefined) principal.life = key.life;
    return principal;
  };
}
