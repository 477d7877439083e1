/** The rules of authorization (SE-1): which key may do what, in which tenant. */
import { PosthornError } from './errors.ts';

export const keyScopes = ['platform', 'producer', 'tenant'] as const;
export type KeyScope = (typeof keyScopes)[number];

/** The API key of a request, and its scope. */
export interface Principal {
  keyId: string;
  scope: KeyScope;
  /**
   * Always set for scope `tenant`, for scope `producer` if the key is bound, never for
   * `platform`.
   */
  tenant?: string;
  /** The life of the tenant that the key is bound to; absent: 0. */
  life?: number;
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

/**
 * Access that a route requires of a key. `any-key`: every valid key; `platform`: platform keys;
 * `read` and `manage`: platform keys, and the tenant's own keys for their tenant.
 */
export type Access = 'any-key' | 'platform' | 'read' | 'manage';

/**
 * Checks that a key has the access that a route requires.
 *
 * @param tenant of the route; undefined: the route is about no tenant
 * @throws PosthornError POSTHORN_KEY_SCOPE
 */
export function authorize(principal: Principal, access: Access, tenant: string | undefined): void {
  switch (access) {
    case 'any-key':
      return;
    case 'read':
    case 'manage':
      requireTenant(principal, tenant ?? '', access);
      return;
    case 'platform':
      requirePlatform(principal);
      return;
    default:
      access satisfies never;
  }
}
