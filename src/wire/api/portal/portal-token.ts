/** Schemas of portal tokens (CT-8). */
import { type Static, Type } from 'typebox';
import { portalCapabilities } from '#domain/capabilities.ts';
import { limits } from '#domain/limits.ts';
import { named } from '#wire/openapi/describe.ts';
import {
  eventTypeSelectors,
  nullable,
  resourceId,
  strict,
  tenantId,
  timestamp,
} from '../fields.ts';
import { orderField, pageFields, pageOf } from '../page.ts';

const sessionId = resourceId('a portal token and of its session', 'ses');

export const portalTokenParams = Type.Object({ tenant: tenantId, portal_token: sessionId }, strict);

const colour = Type.String({
  pattern: '^#[0-9a-fA-F]{6}$',
  description: 'A colour, as six hexadecimal digits.',
  examples: ['#0b5fff'],
});

/** Colours alone, so that no theme can carry other CSS. */
export const portalTheme = named(
  'PortalTheme',
  Type.Object(
    {
      mode: Type.Optional(
        named(
          'ColorScheme',
          Type.Enum(['light', 'dark', 'auto'], {
            description: 'Light or dark. `auto`: as the system of the user.',
          }),
        ),
      ),
      accent: Type.Optional(colour),
      accent_text: Type.Optional(colour),
      background: Type.Optional(colour),
      surface: Type.Optional(colour),
      text: Type.Optional(colour),
      border: Type.Optional(colour),
    },
    strict,
  ),
  {
    description: 'Colours of the portal. An absent colour is the one of the platform.',
    examples: [{ mode: 'light', accent: '#0b5fff' }],
  },
);
export type PortalTheme = Static<typeof portalTheme>;

const capabilities = Type.Array(
  named(
    'PortalCapability',
    Type.Enum(portalCapabilities, {
      description:
        'One permission of the portal: `view` settings and history, `send_test` events, `manage_endpoints` and subscriptions, `view_secret` of an endpoint, `replay` deliveries.',
    }),
  ),
  {
    minItems: 1,
    maxItems: portalCapabilities.length,
    uniqueItems: true,
    description: 'Permissions of the portal.',
    examples: [['view', 'send_test']],
  },
);

const visibleTypes = eventTypeSelectors(
  'Events, deliveries and types of other names are hidden.',
  1,
);

export const newPortalToken = named(
  'NewPortalToken',
  Type.Object(
    {
      capabilities: Type.Optional(capabilities),
      event_types: Type.Optional(visibleTypes),
      theme: Type.Optional(portalTheme),
      expires_in_seconds: Type.Optional(
        Type.Integer({
          minimum: limits.portalTokenSecondsMin,
          maximum: limits.portalTokenSecondsMax,
          default: limits.portalTokenSecondsMin,
          description: 'How long the token and its session are valid: one hour to seven days.',
          examples: [86_400],
        }),
      ),
    },
    strict,
  ),
  {
    description:
      'A portal token to create. Absent `capabilities`: `view` alone. Absent `event_types`: all.',
    examples: [{ capabilities: ['view', 'send_test'], event_types: ['order.*'] }],
  },
);
export type NewPortalToken = Static<typeof newPortalToken>;

export const portalTokenStatuses = ['active', 'exchanged', 'revoked', 'expired'] as const;

export const portalToken = named(
  'PortalToken',
  Type.Object({
    id: sessionId,
    status: named(
      'PortalTokenStatus',
      Type.Enum(portalTokenStatuses, {
        description:
          '`active`: not used yet; `exchanged`: its session is signed in; `revoked` and `expired`: neither is valid any more.',
      }),
    ),
    tenant_id: tenantId,
    capabilities,
    event_types: nullable(visibleTypes),
    theme: nullable(portalTheme),
    created_at: timestamp('When the token was created'),
    expires_at: timestamp('When the token and its session expire'),
    exchanged_at: nullable(timestamp('When the token was exchanged; null: not yet')),
    revoked_at: nullable(timestamp('When it was revoked; null: it is not revoked')),
  }),
  { description: 'A portal token, without its secret.' },
);
export type PortalTokenResource = Static<typeof portalToken>;

export const createdPortalToken = named(
  'CreatedPortalToken',
  Type.Object({
    ...portalToken.properties,
    token: Type.String({
      description: 'The portal token. It is shown only in this answer.',
      examples: ['pht_example'],
    }),
    link: nullable(
      Type.String({
        description:
          'Link to the portal, with the token in its fragment, which browsers send to no server. Null: `POSTHORN_PUBLIC_URL` is not set.',
        examples: ['https://hooks.example.com/portal#token=pht_example'],
      }),
    ),
  }),
  { description: 'A new portal token, with its secret.' },
);
export type CreatedPortalToken = Static<typeof createdPortalToken>;

export const portalTokenListQuery = Type.Object({ ...pageFields, ...orderField('oldest') }, strict);
export const portalTokenPage = pageOf('PortalTokenPage', portalToken);

export const portalTokenRevocation = named(
  'PortalTokenRevocation',
  Type.Object(
    { all: Type.Literal(true, { description: 'Must be true.', examples: [true] }) },
    strict,
  ),
  { description: 'Confirms that every portal token of the tenant is meant.' },
);

export const revokedPortalTokens = named(
  'RevokedPortalTokens',
  Type.Object({
    revoked_count: Type.Integer({
      minimum: 0,
      description: 'Number of valid portal tokens and sessions that were revoked.',
      examples: [3],
    }),
  }),
  { description: 'The result of a revocation.' },
);
