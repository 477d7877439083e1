/** Schemas of API keys. */
import { type Static, Type } from 'typebox';
import { capabilities, keyScopes } from '#domain/capabilities.ts';
import { limits } from '#domain/limits.ts';
import { named } from '#wire/openapi/describe.ts';
import { nullable, resourceId, revision, strict, tenantId, timestamp } from './fields.ts';
import { filterBy, orderField, pageFields, pageOf } from './page.ts';
import { rateLimit, rateLimitSettings } from './endpoint/rate-limit.ts';

const keyId = resourceId('an API key', 'key');

export const apiKeyParams = Type.Object({ key: keyId }, strict);

export const capability = named(
  'Capability',
  Type.Enum(capabilities, {
    description:
      'One permission of a caller. `view`: settings and history. `manage_endpoints`: and subscriptions. `view_secret`: signing secrets. `replay`: also retry, cancel, release and discard. `administer`: all other changes of the platform.',
  }),
);

const fields = {
  scope: named(
    'KeyScope',
    Type.Enum(keyScopes, {
      description:
        '`platform` may use every route; `producer` publishes events; `tenant` reads and manages one tenant.',
    }),
  ),
  capabilities: Type.Array(capability, {
    minItems: 1,
    maxItems: capabilities.length,
    uniqueItems: true,
    description: 'What the key may do: some or all of what its scope allows.',
    examples: [['view', 'replay']],
  }),
  name: Type.String({
    minLength: 1,
    maxLength: 200,
    description: 'A label for people; the platform does not use it.',
    examples: ['Billing service'],
  }),
};

export const newApiKey = named(
  'NewApiKey',
  Type.Object(
    {
      scope: fields.scope,
      tenant_id: Type.Optional(tenantId),
      capabilities: Type.Optional(fields.capabilities),
      name: Type.Optional(fields.name),
      expires_at: Type.Optional(timestamp('When the key expires. Absent: never')),
      rate_limit: Type.Optional(nullable(rateLimitSettings)),
    },
    strict,
  ),
  {
    description: 'An API key to create.',
    examples: [{ scope: 'tenant', tenant_id: 'acme', name: 'Billing service' }],
  },
);
export type NewApiKey = Static<typeof newApiKey>;

export const apiKey = named(
  'ApiKey',
  Type.Object({
    id: keyId,
    scope: fields.scope,
    tenant_id: nullable(tenantId),
    capabilities: fields.capabilities,
    name: nullable(fields.name),
    revision,
    created_at: timestamp('When the key was created'),
    expires_at: nullable(timestamp('When the key expires; null: never')),
    revoked_at: nullable(timestamp('When the key was revoked; null: it is not revoked')),
    last_used_at: nullable(
      timestamp('When the key was last used, to about a minute; null: not yet'),
    ),
    replaced_by_id: nullable(
      resourceId('the API key that a rotation created in place of this one', 'key'),
    ),
    rate_limit: nullable(rateLimit),
  }),
  { description: 'An API key, without its secret.' },
);
export type ApiKeyResource = Static<typeof apiKey>;

export const createdApiKey = named(
  'CreatedApiKey',
  Type.Object({
    ...apiKey.properties,
    key: Type.String({
      description: 'The API key. It is shown only in this answer.',
      examples: ['phk_example'],
    }),
  }),
  { description: 'A new API key, with its secret.' },
);
export type CreatedApiKey = Static<typeof createdApiKey>;

export const apiKeyChange = named(
  'ApiKeyChange',
  Type.Object(
    {
      name: Type.Optional(nullable(fields.name)),
      capabilities: Type.Optional(nullable(fields.capabilities)),
      expires_at: Type.Optional(nullable(timestamp('When the key expires. Null: never'))),
      rate_limit: Type.Optional(nullable(rateLimitSettings)),
    },
    { ...strict, minProperties: 1 },
  ),
  {
    description:
      'Changes of an API key. Absent fields stay. Null removes the name, the limit of the capabilities, the expiry, or the rate limit.',
    examples: [{ name: 'Billing service', capabilities: ['view'] }],
  },
);
export type ApiKeyChange = Static<typeof apiKeyChange>;

export const apiKeyRotation = named(
  'ApiKeyRotation',
  Type.Object(
    {
      overlap_seconds: Type.Optional(
        Type.Integer({
          minimum: 0,
          maximum: limits.keyOverlapSecondsMax,
          default: 24 * 3600,
          description: 'How long the old key stays valid. 0: it is invalid immediately.',
          examples: [86_400],
        }),
      ),
      expires_at: Type.Optional(
        nullable(timestamp('When the new key expires. Absent: as the old one. Null: never')),
      ),
    },
    strict,
  ),
  { description: 'Settings of a rotation.', examples: [{ overlap_seconds: 86_400 }] },
);
export type ApiKeyRotation = Static<typeof apiKeyRotation>;

export const apiKeyListQuery = Type.Object(
  {
    ...pageFields,
    ...orderField('oldest'),
    tenant_id: filterBy(tenantId),
    scope: filterBy(fields.scope),
  },
  strict,
);
export type ApiKeyListQuery = Static<typeof apiKeyListQuery>;
export const apiKeyPage = pageOf('ApiKeyPage', apiKey);
