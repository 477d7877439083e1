/**
 * The capabilities of a caller (CT-8): the fixed list of permissions that an API key, a portal
 * token or a signed-in operator can have, and the presets that name sets of them.
 */

export const capabilities = [
  /** Publish events. */
  'publish',
  /** Read settings, endpoints and history. */
  'view',
  /** Create, change and delete endpoints and subscriptions. */
  'manage_endpoints',
  /** Send a test event to an endpoint. */
  'send_test',
  /** Read the signing secret of an endpoint. */
  'view_secret',
  /** Replay, retry, cancel, release and discard deliveries. */
  'replay',
  'manage_event_types',
  'manage_tenants',
  'manage_keys',
  'manage_portal_tokens',
  /** All other changes of the platform. */
  'administer',
] as const;
export type Capability = (typeof capabilities)[number];

/** Capabilities that a portal token may have. */
export const portalCapabilities = [
  'view',
  'send_test',
  'manage_endpoints',
  'view_secret',
  'replay',
] as const satisfies readonly Capability[];

export const keyScopes = ['platform', 'producer', 'tenant'] as const;
export type KeyScope = (typeof keyScopes)[number];

/** All that a key of each scope may do. A key may be limited to some of these. */
export const scopePresets: Readonly<Record<KeyScope, readonly Capability[]>> = {
  platform: capabilities,
  producer: ['publish'],
  tenant: portalCapabilities,
};

export const operatorRoles = ['viewer', 'operator', 'admin'] as const;
export type OperatorRole = (typeof operatorRoles)[number];

/** What each role of a signed-in operator may do, in every tenant (CT-21). */
export const rolePresets: Readonly<Record<OperatorRole, readonly Capability[]>> = {
  viewer: ['view'],
  operator: ['view', 'manage_endpoints', 'send_test', 'replay', 'manage_portal_tokens'],
  admin: capabilities,
};
