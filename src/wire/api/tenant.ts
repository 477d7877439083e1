/** Schemas of tenants. */
import { type Static, Type } from 'typebox';
import { policyBounds } from '#domain/endpoint/endpoint-policy.ts';
import { eventTypePolicies, subscriptionApprovals } from '#domain/tenant.ts';
import { named } from '#wire/openapi/describe.ts';
import { nullable, revision, strict, tenantId, timestamp } from './fields.ts';
import { orderField, pageFields, pageOf } from './page.ts';
import { rateLimit, rateLimitSettings } from './endpoint/rate-limit.ts';

export const tenantParams = Type.Object({ tenant: tenantId }, strict);

const settings = {
  name: Type.String({
    minLength: 1,
    maxLength: 200,
    description: 'A label for people; the platform does not use it.',
    examples: ['Acme Ltd'],
  }),
  weight: Type.Integer({
    minimum: 1,
    maximum: 100,
    description:
      'Weight of the tenant when tenants compete for a worker: twice the weight, twice the share.',
    examples: [1],
  }),
  in_flight_max: Type.Integer({
    ...policyBounds.tenantInFlight,
    description:
      'Maximum number of requests in flight from one worker to all endpoints of the tenant together.',
    examples: [100],
  }),
  event_type_policy: named(
    'EventTypePolicy',
    Type.Enum(eventTypePolicies, {
      description:
        '`auto` accepts events of unregistered types, `strict` rejects them. Absent: the setting of the platform.',
    }),
  ),
  subscription_approval: named(
    'SubscriptionApproval',
    Type.Enum(subscriptionApprovals, {
      description:
        '`required`: subscriptions that the tenant creates or changes are `pending` until an operator approves them.',
    }),
  ),
};

export const tenantSettings = named(
  'TenantSettings',
  Type.Object(
    {
      name: Type.Optional(settings.name),
      weight: Type.Optional(Type.Integer({ ...settings.weight, default: 1 })),
      in_flight_max: Type.Optional(nullable(settings.in_flight_max)),
      event_type_policy: Type.Optional(settings.event_type_policy),
      subscription_approval: Type.Optional(settings.subscription_approval),
      rate_limit: Type.Optional(nullable(rateLimitSettings)),
    },
    strict,
  ),
  { description: 'Settings of a tenant.', examples: [{ name: 'Acme Ltd', weight: 1 }] },
);
export type TenantSettings = Static<typeof tenantSettings>;

export const tenantChange = named(
  'TenantChange',
  Type.Object(
    {
      name: Type.Optional(nullable(settings.name)),
      weight: Type.Optional(settings.weight),
      in_flight_max: Type.Optional(nullable(settings.in_flight_max)),
      event_type_policy: Type.Optional(nullable(settings.event_type_policy)),
      subscription_approval: Type.Optional(settings.subscription_approval),
      rate_limit: Type.Optional(nullable(rateLimitSettings)),
    },
    { ...strict, minProperties: 1 },
  ),
  {
    description: 'The settings of a tenant to change. Null removes a setting.',
    examples: [{ weight: 2, in_flight_max: null }],
  },
);
export type TenantChange = Static<typeof tenantChange>;

export const tenant = named(
  'Tenant',
  Type.Object({
    id: tenantId,
    name: nullable(settings.name),
    weight: settings.weight,
    in_flight_max: nullable(settings.in_flight_max),
    event_type_policy: nullable(settings.event_type_policy),
    subscription_approval: settings.subscription_approval,
    rate_limit: nullable(rateLimit),
    revision,
    created_at: timestamp('When the tenant was created'),
    updated_at: timestamp('When the tenant was last changed'),
  }),
  { description: 'A tenant and its settings.' },
);
export type TenantResource = Static<typeof tenant>;

export const tenantListQuery = Type.Object({ ...pageFields, ...orderField('oldest') }, strict);
export type TenantListQuery = Static<typeof tenantListQuery>;
export const tenantPage = pageOf('TenantPage', tenant);
