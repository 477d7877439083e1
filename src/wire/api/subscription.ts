/** Schemas of subscriptions. */
import { type Static, Type } from 'typebox';
import { subscriptionStatuses } from '#domain/endpoint/endpoint.ts';
import { subscriptionReasons } from '#domain/event/explain-match.ts';
import { named } from '#wire/openapi/describe.ts';
import {
  eventTypeSelectors,
  filterDocument,
  nullable,
  resourceId,
  revision,
  strict,
  tenantId,
  timestamp,
} from './fields.ts';
import { publishedEvent } from './events-ingress.ts';
import { filterBy, orderField, pageFields, pageOf } from './page.ts';

const subscriptionId = resourceId('a subscription', 'sub');
const endpointId = resourceId('an endpoint of the tenant', 'ep');

export const subscriptionParams = Type.Object(
  { tenant: tenantId, subscription: subscriptionId },
  strict,
);

const someEventTypes = eventTypeSelectors('Absent: all.', 1);
const statusMeaning = 'Only an `approved` subscription is in force.';
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
          Type.Enum(['pending', 'approved'], { default: 'approved', description: statusMeaning }),
        ),
      ),
    },
    strict,
  ),
  {
    description: 'A subscription to create.',
    examples: [
      {
        endpoint_id: 'ep_01k3v9h2c8m4n6p8q0r2s4t6v8',
        event_types: ['order.*'],
        filter: { 'data.amount': { $gt: 100 } },
      },
    ],
  },
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
  {
    description: 'The fields of a subscription to change.',
    examples: [{ event_types: ['order.*', 'invoice.paid'] }],
  },
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
    created_at: timestamp('When the subscription was created'),
    updated_at: timestamp('When the subscription was last changed'),
  }),
  { description: 'Selects the events that an endpoint gets.' },
);
export type SubscriptionResource = Static<typeof subscription>;

export const subscriptionListQuery = Type.Object(
  {
    ...pageFields,
    ...orderField('oldest'),
    endpoint_id: filterBy(endpointId),
    status: filterBy(status),
  },
  strict,
);
export type SubscriptionListQuery = Static<typeof subscriptionListQuery>;
export const subscriptionPage = pageOf('SubscriptionPage', subscription);

export const dryRun = named(
  'DryRun',
  Type.Object(
    {
      event_types: Type.Optional(someEventTypes),
      filter: Type.Optional(filterDocument),
      event: publishedEvent,
    },
    strict,
  ),
  {
    description: 'A subscription and a sample event.',
    examples: [
      {
        event_types: ['order.*'],
        filter: { 'data.amount': { $gt: 100 } },
        event: { type: 'order.created', data: { amount: 120 } },
      },
    ],
  },
);

/** The part of it that is checked against a schema: the event is read as ingress reads events. */
export const dryRunBody = Type.Object(
  {
    event_types: dryRun.properties.event_types,
    filter: dryRun.properties.filter,
    event: Type.Unknown(),
  },
  strict,
);
export type DryRunSelection = Omit<Static<typeof dryRunBody>, 'event'>;

export const dryRunResult = named(
  'DryRunResult',
  Type.Object({
    matched: Type.Boolean({ description: 'True if the event matches.', examples: [true] }),
    reason: named(
      'SubscriptionReason',
      Type.Enum(subscriptionReasons, {
        description:
          'The deciding fact: `matched`, or the part of the subscription that did not match.',
      }),
    ),
  }),
  { description: 'Whether the sample event matches.' },
);
export type DryRunResult = Static<typeof dryRunResult>;
