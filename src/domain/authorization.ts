/** The rules of authorization (SE-1): which caller may do what, in which tenant. */
import { type Capability, type KeyScope, scopePresets } from './capabilities.ts';
import type { RateLimit } from './endpoint/endpoint-policy.ts';
import { PosthornError } from './errors.ts';

/** The caller of a request: an API key, a token or a session, with its rights. */
export interface Principal {
  /** Id of the key, the portal token or the operator. */
  keyId: string;
  scope: KeyScope;
  /**
   * Always set for scope `tenant`, for scope `producer` if the key is bound, never for
   * `platform`.
   */
  tenant?: string;
  /** The life of the tenant that the key is bound to; absent: 0. */
  life?: number;
  /** Absent: all that the scope allows. */
  capabilities?: readonly Capability[];
  /** Selectors of the event types that the caller sees; absent: all of its tenant. */
  eventTypes?: readonly string[];
  /** The rate limit of the key; absent: none. */
  rateLimit?: RateLimit;
}

/** Whether a caller has a capability, in any tenant. */
export function holds({ scope, capabilities }: Principal, capability: Capability): boolean {
  const isOfScope = scope === 'platform' || scopePresets[scope].includes(capability);
  return isOfScope && (capabilities === undefined || capabilities.includes(capability));
}

/** @throws PosthornError POSTHORN_KEY_SCOPE */
function requireCapability(principal: Principal, capability: Capability): void {
  if (holds(principal, capability)) return;
  throw new PosthornError('POSTHORN_KEY_SCOPE', {
    detail: `the caller lacks the capability ${capability}`,
  });
}

/**
 * Checks that a caller has a capability in a tenant.
 *
 * A tenant key never publishes: a tenant receives events, and one that could publish could forge
 * the producer's events.
 *
 * The caller alone decides, before any look-up: for a tenant out of scope the answer is the same
 * 403, whether that tenant exists or not.
 *
 * @throws PosthornError POSTHORN_KEY_SCOPE
 */
export function requireTenant(principal: Principal, tenant: string, capability: Capability): void {
  requireCapability(principal, capability);
  if (principal.scope === 'platform') return;
  const reaches = principal.tenant === undefined || principal.tenant === tenant;
  const bound = principal.scope === 'producer' || principal.tenant !== undefined;
  if (!reaches || !bound) {
    throw new PosthornError('POSTHORN_KEY_SCOPE', {
      detail: 'the caller does not reach this tenant',
    });
  }
}

/**
 * Checks that a caller may publish to every tenant, and so publish a broadcast: platform keys, and
 * unbound producer keys.
 *
 * @throws PosthornError POSTHORN_KEY_SCOPE
 */
export function requireBroadcast(principal: Principal): void {
  requireCapability(principal, 'publish');
  if (principal.scope === 'platform') return;
  if (principal.scope === 'producer' && principal.tenant === undefined) return;
  throw new PosthornError('POSTHORN_KEY_SCOPE', {
    detail: 'an event to every tenant needs a platform key, or a producer key bound to no tenant',
  });
}

/** Accepts callers that reach every tenant. @throws PosthornError POSTHORN_KEY_SCOPE */
function requirePlatform(principal: Principal, capability: Capability): void {
  if (principal.scope !== 'platform') {
    throw new PosthornError('POSTHORN_KEY_SCOPE', { detail: 'this needs a platform key' });
  }
  requireCapability(principal, capability);
}

/**
 * Access that a route requires, in one word. Each names a capability, and whether the caller
 * must reach the tenant of the route or every tenant.
 */
const accessRules = {
  read: { reach: 'tenant', capability: 'view' },
  manage: { reach: 'tenant', capability: 'manage_endpoints' },
  'send-test': { reach: 'tenant', capability: 'send_test' },
  'view-secret': { reach: 'tenant', capability: 'view_secret' },
  replay: { reach: 'tenant', capability: 'replay' },
  'portal-tokens': { reach: 'platform', capability: 'manage_portal_tokens' },
  'event-types': { reach: 'platform', capability: 'manage_event_types' },
  tenants: { reach: 'platform', capability: 'manage_tenants' },
  keys: { reach: 'platform', capability: 'manage_keys' },
  platform: { reach: 'platform', capability: 'administer' },
} as const satisfies Record<string, { reach: 'tenant' | 'platform'; capability: Capability }>;

/**
 * `any-key`: every valid caller. `read`, `manage`, `send-test`, `view-secret`, `replay`: callers
 * that reach the tenant. The others: callers that reach every tenant; their reads need `view`.
 */
export type Access = 'any-key' | keyof typeof accessRules;

/** The reach and the capability that a route requires; absent capability: any valid caller. */
export interface Requirement {
  reach: 'any' | 'tenant' | 'platform';
  capability?: Capability;
}

/** @param isRead the route changes nothing */
export function requirementOf(access: Access, isRead: boolean): Requirement {
  if (access === 'any-key') return { reach: 'any' };
  const rule: Requirement = accessRules[access];
  return rule.reach === 'platform' && isRead ? { reach: 'platform', capability: 'view' } : rule;
}

/**
 * Checks that a caller has the access that a route requires.
 *
 * @param tenant of the route; undefined: the route is about no tenant
 * @throws PosthornError POSTHORN_KEY_SCOPE
 */
export function authorize(
  principal: Principal,
  { reach, capability }: Requirement,
  tenant: string | undefined,
): void {
  if (capability === undefined) return;
  if (reach === 'tenant') requireTenant(principal, tenant ?? '', capability);
  else requirePlatform(principal, capability);
}
