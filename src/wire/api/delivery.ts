/** Schemas of deliveries and their attempts. */
import { type Static, Type } from 'typebox';
import { attemptFailureKinds, deliveryStatuses } from '#domain/outcome/delivery.ts';
import { named } from '#wire/openapi/describe.ts';
import {
  eventId,
  eventTypeName,
  nullable,
  resourceId,
  strict,
  tenantId,
  timestamp,
} from './fields.ts';
import { filterBy, orderField, pageFields, pageOf } from './page.ts';

const deliveryId = resourceId('a delivery', 'dlv');
export const deliveryStatus = named('DeliveryStatus', Type.Enum(deliveryStatuses), {
  description:
    '`pending`: in flight, or waiting for an attempt. `held`: the endpoint is not active. `delivered`: the receiver accepted it. `failed`: it became a dead letter. `cancelled`: stopped by a request, or with its endpoint.',
});

export const attemptFailure = named('AttemptFailure', Type.Enum(attemptFailureKinds), {
  description: 'Why the attempt failed. `http_status`: the response status was not 2xx.',
});

export const deliveryParams = Type.Object({ tenant: tenantId, delivery: deliveryId }, strict);

export const attempt = named(
  'Attempt',
  Type.Object({
    id: Type.String({
      description: 'Id of the attempt.',
      examples: ['dlv_01k3v9h2c8m4n6p8q0r2s4t6v8:1'],
    }),
    number: Type.Integer({ description: 'Number of the attempt, from 1.', examples: [1] }),
    started_at: timestamp('When it began'),
    duration_ms: Type.Number({
      description: 'Duration of the attempt, in milliseconds.',
      examples: [84.2],
    }),
    response_status: nullable(
      Type.Integer({
        description: 'HTTP status of the response; null if there was no response.',
        examples: [503],
      }),
    ),
    failure: nullable(attemptFailure),
    detail: nullable(
      Type.String({
        description:
          'The failure in words. After a final status, it also names faults in the rest of the response, or a request that was sent twice.',
        examples: ['the receiver answered 503'],
      }),
    ),
    repeated_at: nullable(
      timestamp(
        'When the request was sent a second time, because the kept-alive connection closed before the first byte of a response',
      ),
    ),
    response_headers: Type.Record(Type.String(), Type.String(), {
      description:
        'Header fields of the response: the first 32. Empty if the event type is sensitive.',
      examples: [{ 'content-type': 'text/plain' }],
    }),
    response_body: nullable(
      Type.String({
        description:
          'Body of the response: the first 4 KiB. Null also if the event type is sensitive.',
        examples: ['temporarily unavailable'],
      }),
    ),
    response_body_encoding: nullable(
      Type.Literal('base64', {
        description: '`base64` if the body is not UTF-8; null if it is text.',
      }),
    ),
    worker: Type.String({
      description: 'The process that made the attempt.',
      examples: ['worker-0'],
    }),
  }),
  { description: 'One request to an endpoint, and its result.' },
);
export type AttemptResource = Static<typeof attempt>;

const summary = {
  id: deliveryId,
  tenant_id: tenantId,
  event_id: eventId,
  event_type: eventTypeName,
  endpoint_id: resourceId('an endpoint', 'ep'),
  status: deliveryStatus,
  reason: nullable(
    Type.String({
      description: 'Why the delivery failed, is held or was cancelled.',
      examples: ['exhausted'],
    }),
  ),
  accepted_at: timestamp('When the event was stored'),
  updated_at: timestamp('When the status was last written'),
  next_attempt_at: nullable(timestamp('When the next attempt is due')),
  attempt_count: Type.Integer({ description: 'Number of attempts so far.', examples: [1] }),
  replay_of: nullable(resourceId('the delivery that this one sends again; null: none', 'dlv')),
  replay_id: nullable(resourceId('the replay that made it; null: none', 'rpl')),
};

export const deliverySummary = named('DeliverySummary', Type.Object(summary), {
  description: 'A delivery, as lists show it.',
});
export type DeliverySummary = Static<typeof deliverySummary>;

export const delivery = named(
  'Delivery',
  Type.Object({
    ...summary,
    attempts: Type.Array(attempt, {
      description: 'The attempts, in the order in which they were made.',
    }),
  }),
  { description: 'A delivery with its attempts.' },
);
export type DeliveryResource = Static<typeof delivery>;

export const eventDeliveriesQuery = Type.Object(
  { ...pageFields, ...orderField('newest'), status: filterBy(deliveryStatus) },
  strict,
);
export type EventDeliveriesQuery = Static<typeof eventDeliveriesQuery>;

export const retriedDelivery = named(
  'RetriedDelivery',
  Type.Object({
    id: deliveryId,
    delivery_id: Type.String({
      examples: ['dlv_01k3v9h2c8m4n6p8q0r2s4t6v8'],
      description:
        'The delivery that is attempted now: the given one or, if that had failed, the replay of its dead letter.',
    }),
  }),
  { description: 'The delivery that is attempted now.' },
);
export type RetriedDelivery = Static<typeof retriedDelivery>;

export const cancelledDelivery = named('CancelledDelivery', Type.Object({ id: deliveryId }), {
  description: 'The cancelled delivery.',
});
export type CancelledDelivery = Static<typeof cancelledDelivery>;

export const resentDelivery = named(
  'ResentDelivery',
  Type.Object({ id: deliveryId, delivery_id: resourceId('the new delivery', 'dlv') }),
  { description: 'The delivery that ended, and the new one that sends its event again.' },
);
export type ResentDelivery = Static<typeof resentDelivery>;

export const deliveryPage = pageOf('DeliveryPage', deliverySummary);
export const attemptPage = pageOf('AttemptPage', attempt);
