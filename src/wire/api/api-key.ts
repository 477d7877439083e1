/** API keys in the API. */
import { type Static, Type } from 'typebox';
import { keyScopes } from '#wire/config-snapshot.ts';
import { named } from '#wire/openapi/describe.ts';
import { nullable, resourceId, strict, tenantId, timestamp } from './fields.ts';
import { pageFields, pageOf } from './page.ts';

const keyId = resourceId('an API key', 'key');

export const apiKeyParams = Type.Object({ key: keyId }, strict);

const fields = {
  scope: named(
    'KeyScope',
    Type.Enum(keyScopes, {
      description:
        '`platform` does everything; `producer` publishes; `tenant` reads and manages one tenant.',
    }),
  ),
  name: Type.String({
    minLength: 1,
    maxLength: 200,
    description: 'Shown to people.',
    examples: ['Billing service'],
  }),
};

export const newApiKey = named(
  'NewApiKey',
  Type.Object(
    {
      scope: fields.scope,
      tenant: Type.Optional(tenantId),
      name: Type.Optional(fields.name),
      expires_at: Type.Optional(timestamp('When it ceases to be valid')),
    },
    strict,
  ),
  {
    description: 'An API key to create.',
    examples: [{ scope: 'tenant', tenant: 'acme', name: 'Billing service' }],
  },
);
export type NewApiKey = Static<typeof newApiKey>;

export const apiKey = named(
  'ApiKey',
  Type.Object({
    id: keyId,
    scope: fields.scope,
    tenant: nullable(tenantId),
    name: nullable(fields.name),
    created_at: timestamp('When it was made'),
    expires_at: nullable(timestamp('When it ceases to be valid')),
    revoked_at: nullable(timestamp('When it was revoked')),
  }),
  { description: 'An API key, without its secret.' },
);
export type ApiKeyResource = Static<typeof apiKey>;

export const createdApiKey = named(
  'CreatedApiKey',
  Type.Object({
    ...apiKey.properties,
    key: Type.String({ description: 'The key. Shown this once.', examples: ['phk_example'] }),
  }),
  { description: 'A new API key with its secret.' },
);
export type CreatedApiKey = Static<typeof createdApiKey>;

export const apiKeyListQuery = Type.Object(
  { ...pageFields, tenant: Type.Optional(tenantId), scope: Type.Optional(fields.scope) },
  strict,
);
export const apiKeyPage = pageOf('ApiKeyPage', apiKey);
