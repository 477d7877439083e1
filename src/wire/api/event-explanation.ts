/** Schemas that explain why endpoints get an event or not (RT-9). */
import { type Static, Type } from 'typebox';
import { endpointReasons } from '#domain/event/explain-match.ts';
import { named } from '#wire/openapi/describe.ts';
import { eventId, eventTypeName, resourceId, strict, timestamp } from './fields.ts';
import { pageFields, pageOf } from './page.ts';
import { dryRunResult } from './subscription.ts';

export const endpointExplanation = named(
  'EndpointExplanation',
  Type.Object({
    endpoint_id: resourceId('an endpoint of the tenant', 'ep'),
    matched: Type.Boolean({
      description: 'True if at least one subscription of the endpoint matches.',
      examples: [true],
    }),
    reason: named(
      'EndpointReason',
      Type.Enum(endpointReasons, {
        description:
          'The deciding fact. `no_subscription`: the endpoint has no approved subscription. `event_type`: no subscription selects this type. ' +
          '`filter`: subscriptions select the type, but the event does not pass their filters. `filter_faulty`: a stored filter ' +
          'cannot be used, so it matches nothing: set the filter again. `endpoint_paused` and ' +
          '`endpoint_disabled`: a subscription matches, but a delivery would be held.',
      }),
    ),
    subscriptions: Type.Array(
      named(
        'SubscriptionExplanation',
        Type.Object({
          subscription_id: resourceId('a subscription', 'sub'),
          ...dryRunResult.properties,
        }),
        { description: 'Whether a subscription matches, and why.' },
      ),
      { description: 'The approved subscriptions of the endpoint, each with the deciding fact.' },
    ),
  }),
  { description: 'Whether the endpoint gets the event, and why.' },
);
export type EndpointExplanationResource = Static<typeof endpointExplanation>;

export const explanationQuery = Type.Object({ ...pageFields }, strict);

export const eventExplanation = named(
  'EventExplanation',
  Type.Object({
    event_id: eventId,
    event_type: eventTypeName,
    judged_at: timestamp(
      'The time of the configuration that was used: the current configuration, not the configuration when the event was routed',
    ),
    ...pageOf('EndpointExplanationPage', endpointExplanation).properties,
  }),
  { description: 'One page of endpoints, each with the deciding fact.' },
);
export type EventExplanation = Static<typeof eventExplanation>;
