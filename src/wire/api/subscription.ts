/** Subscriptions in the API. */
import { type Static, Type } from 'typebox';
import { subscriptionStatuses } from '#domain/endpoint.ts';
import { subscriptionReasons } from '#domain/explain-match.ts';
import { limits } from '#domain/limits.ts';
import { named } from '#wire/openapi/describe.ts';
import {
  eventTypeName,
  eventTypeSelectors,
  filterDocument,
  nullable,
  resourceId,
  revision,
  strict,
  tenantId,
  timestamp,
} from './fields.ts';
import { pageFields, pageOf } from './page.ts';

const subscriptionId = resourceId('a subscription', 'sub');
const endpointId = resourceId('an endpoint of the tenant', 'ep');

export const subscriptionParams = Type.Object(
  { tenant: tenantId, subscription: subscriptionId },
  strict,
);

const someEventTypes = eventTypeSelectors('Absent: all.', 1);
const statusMeaning = 'Only an APPROVED subscription is in force.';
const status = named(
  'SubscriptionStatus',
  Type.Enum(subscriptionStatuses, { description: statusMeaning }),
);

export const newSubscription = named(
  'NewSubscription',
  Type.Object(
    {
      endpoint_id: endpointId,
      event_types: Type.Optional(someEventTypes),
      filter: Type.Optional(filterDocument),
      status: Type.Optional(
        named(
          'NewSubscriptionStatus',
          Type.Enum(['PENDING', 'APPROVED'], { default: 'APPROVED', description: statusMeaning }),
        ),
      ),
    },
    strict,
  ),
);
export type NewSubscription = Static<typeof newSubscription>;

export const subscriptionChange = named(
  'SubscriptionChange',
  Type.Object(
    {
      event_types: Type.Optional(someEventTypes),
      filter: Type.Optional(nullable(filterDocument)),
      status: Type.Optional(status),
    },
    { ...strict, minProperties: 1 },
  ),
);
export type SubscriptionChange = Static<typeof subscriptionChange>;

export const subscription = named(
  'Subscription',
  Type.Object({
    id: subscriptionId,
    tenant_id: tenantId,
    endpoint_id: endpointId,
    event_types: eventTypeSelectors(),
    filter: nullable(filterDocument),
    status,
    revision,
    created_at: timestamp('When it was made'),
    updated_at: timestamp('When it was last changed'),
  }),
);
export type SubscriptionResource = Static<typeof subscription>;

export const subscriptionListQuery = Type.Object(
  { ...pageFields, endpoint: Type.Optional(endpointId), status: Type.Optional(status) },
  strict,
);
export const subscriptionPage = pageOf('SubscriptionPage', subscription);

export const dryRun = named(
  'DryRun',
  Type.Object(
    {
      event_types: Type.Optional(someEventTypes),
      filter: Type.Optional(filterDocument),
      event: named(
        'SampleEvent',
        Type.Object(
          {
            type: eventTypeName,
            id: Type.Optional(Type.String({ maxLength: limits.eventIdLengthMax })),
            source: Type.Optional(Type.String({ maxLength: limits.eventSourceLengthMax })),
            time: Type.Optional(Type.String({ format: 'date-time' })),
            subject: Type.Optional(Type.String({ maxLength: limits.eventSubjectLengthMax })),
            data: Type.Optional(Type.Unknown()),
          },
          { description: 'A sample event; further fields are CloudEvents extension attributes.' },
        ),
      ),
    },
    strict,
  ),
);
export type DryRun = Static<typeof dryRun>;

export const dryRunResult = named(
  'DryRunResult',
  Type.Object({
    matched: Type.Boolean(),
    reason: named(
      'SubscriptionReason',
      Type.Enum(subscriptionReasons, {
        description: 'What decided: where it is not `matched`, the part that did not match.',
      }),
    ),
  }),
);
export type DryRunResult = Static<typeof dryRunResult>;
