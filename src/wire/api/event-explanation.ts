/** Why endpoints get an event, or not, in the API (RT-9). */
import { type Static, Type } from 'typebox';
import { endpointReasons } from '#domain/event/explain-match.ts';
import { named } from '#wire/openapi/describe.ts';
import { eventId, eventTypeName, resourceId, strict, timestamp } from './fields.ts';
import { pageFields, pageOf } from './page.ts';
import { dryRunResult } from './subscription.ts';

const endpointExplanation = named(
  'EndpointExplanation',
  Type.Object({
    endpoint_id: resourceId('an endpoint of the tenant', 'ep'),
    matched: Type.Boolean({
      description: 'At least one of its subscriptions matches.',
      examples: [true],
    }),
    reason: named(
      'EndpointReason',
      Type.Enum(endpointReasons, {
        description:
          'What decides. `no_subscription`: it has no approved one. `event_type`: none of them is for this type. ' +
          '`filter`: those for this type have filters that the event does not pass. `filter_faulty`: the stored filter of ' +
          'one cannot be used, so that it matches nothing: set the filter again. `endpoint_paused` and ' +
          '`endpoint_disabled`: it matches, and a delivery would be held.',
      }),
    ),
    subscriptions: Type.Array(
      named(
        'SubscriptionExplanation',
        Type.Object({
          subscription_id: resourceId('a subscription', 'sub'),
          ...dryRunResult.properties,
        }),
        { description: 'Why a subscription matches, or not.' },
      ),
      { description: 'Its approved ones, each with what decides of it.' },
    ),
  }),
  { description: 'Why an endpoint gets the event, or not.' },
);
export type EndpointExplanationResource = Static<typeof endpointExplanation>;

export const explanationQuery = Type.Object({ ...pageFields }, strict);

export const eventExplanation = named(
  'EventExplanation',
  Type.Object({
    event_id: eventId,
    event_type: eventTypeName,
    judged_at: timestamp(
      'The endpoints and subscriptions are those of now, not of when the event was routed',
    ),
    ...pageOf('EndpointExplanationPage', endpointExplanation).properties,
  }),
  { description: 'One page of endpoints, each with what decides.' },
);
export type EventExplanation = Static<typeof eventExplanation>;
