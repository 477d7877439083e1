/** Schemas of the caller's own session (CT-8, CT-21). */
import { type Static, Type } from 'typebox';
import { operatorRoles } from '#domain/capabilities.ts';
import { limits } from '#domain/limits.ts';
import { named } from '#wire/openapi/describe.ts';
import { capability } from '../api-key.ts';
import { eventTypeSelectors, nullable, strict, tenantId, timestamp } from '../fields.ts';
import { portalTheme } from './portal-token.ts';

export const newSession = named(
  'NewSession',
  Type.Object(
    {
      token: Type.String({
        minLength: 1,
        maxLength: limits.keyLengthMax,
        description: 'A portal token that was not exchanged yet.',
        examples: ['pht_example'],
      }),
    },
    strict,
  ),
  { description: 'A portal token to exchange for a session.' },
);

export const sessionKinds = ['api_key', 'access_token', 'portal', 'operator'] as const;

export const session = named(
  'Session',
  Type.Object({
    id: Type.String({
      description: 'Id of the API key, the session, or the subject of the access token.',
      examples: ['ses_01k3v9h2c8m4n6p8q0r2s4t6v8'],
    }),
    kind: named(
      'SessionKind',
      Type.Enum(sessionKinds, { description: 'What the request was authenticated with.' }),
    ),
    tenant_id: nullable(tenantId),
    role: nullable(
      named('OperatorRole', Type.Enum(operatorRoles, { description: 'Role of an operator.' })),
    ),
    name: nullable(Type.String({ description: 'Name of an operator.', examples: ['Ada'] })),
    capabilities: Type.Array(capability, {
      description: 'Permissions of the caller.',
      examples: [['view']],
    }),
    event_types: nullable(eventTypeSelectors('Null: all are visible.', 1)),
    theme: nullable(portalTheme),
    expires_at: nullable(timestamp('When the session expires; null: not known here')),
    csrf_token: nullable(
      Type.String({
        description:
          'Value of the header `x-csrf-token`, which every change needs that is authenticated by the cookie. Null: the request has no cookie.',
        examples: ['Nq2bTn8m0n5cP3nRz0Jr5w'],
      }),
    ),
  }),
  { description: 'The caller of the request, and its permissions.' },
);
export type SessionResource = Static<typeof session>;
