/** Schemas of API keys. */
import { type Static, Type } from 'typebox';
import { keyScopes } from '#domain/authorization.ts';

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
        '`platform` may use every route; `producer` publishes events; `tenant` reads and manages one tenant.',
    }),
  ),
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
      tenant: Type.Optional(tenantId),
      name: Type.Optional(fields.name),
      expires_at: Type.Optional(timestamp('When the key expires. Absent: never')),
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
    created_at: timestamp('When the key was created'),
    expires_at: nullable(timestamp('When the key expires; null: never')),
    revoked_at: nullable(timestamp('When the key was revoked; null: it is not revoked')),
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

export const apiKeyListQuery = Type.Object(
  { ...pageFields, tenant: Type.Optional(tenantId), scope: Type.Optional(fields.scope) },
  strict,
);
export const apiKeyPage = pageOf('ApiKeyPage', apiKey);
