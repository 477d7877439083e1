/** Deliveries and attempts of the history in the API. */
import { type Static, Type } from 'typebox';
import { attemptFailureKinds, deliveryStatuses } from '#domain/delivery.ts';
import { named } from '#wire/openapi/describe.ts';
import { eventTypeName, nullable, resourceId, strict, tenantId, timestamp } from './fields.ts';
import { timeFields } from './event.ts';
import { pageFields, pageOf } from './page.ts';

const deliveryId = resourceId('a delivery', 'dlv');
const status = named('DeliveryStatus', Type.Enum(deliveryStatuses));

export const attemptFailure = named('AttemptFailure', Type.Enum(attemptFailureKinds));

export const deliveryParams = Type.Object({ tenant: tenantId, delivery: deliveryId }, strict);

export const attempt = named(
  'Attempt',
  Type.Object({
    id: Type.String(),
    number: Type.Integer({ description: 'From 1.' }),
    started_at: timestamp('When it began'),
    duration_ms: Type.Number(),
    response_status: nullable(Type.Integer({ description: 'HTTP status; null where none came.' })),
    failure: nullable(attemptFailure),
    detail: nullable(Type.String()),
    response_headers: Type.Record(Type.String(), Type.String()),
    response_body: nullable(Type.String({ description: 'Its first bytes.' })),
    response_body_encoding: nullable(Type.Literal('base64')),
    worker: Type.String({ description: 'The process that made it.' }),
  }),
);
export type AttemptResource = Static<typeof attempt>;

const summary = {
  id: deliveryId,
  event_id: Type.String(),
  event_type: eventTypeName,
  endpoint_id: Type.String(),
  status,
  reason: nullable(Type.String({ description: 'Why it failed, is held or was cancelled.' })),
  accepted_at: timestamp('When the event was stored'),
  updated_at: timestamp('When its status was last written'),
  next_attempt_at: nullable(timestamp('When it is tried again')),
  attempt_count: Type.Integer(),
};

export const deliverySummary = named('DeliverySummary', Type.Object(summary));
export type DeliverySummary = Static<typeof deliverySummary>;

export const delivery = named(
  'Delivery',
  Type.Object({
    ...summary,
    attempts: Type.Array(attempt, { description: 'First to last.' }),
  }),
);
export type DeliveryResource = Static<typeof delivery>;

export const deliveryListQuery = Type.Object(
  {
    ...pageFields,
    ...timeFields,
    status: Type.Optional(status),
    endpoint: Type.Optional(resourceId('an endpoint', 'ep')),
    type: Type.Optional(eventTypeName),
  },
  strict,
);
export type DeliveryListQuery = Static<typeof deliveryListQuery>;

export const eventDeliveriesQuery = Type.Object(
  { ...pageFields, status: Type.Optional(status) },
  strict,
);
export type EventDeliveriesQuery = Static<typeof eventDeliveriesQuery>;

export const retriedDelivery = named(
  'RetriedDelivery',
  Type.Object({
    id: deliveryId,
    delivery_id: Type.String({
      description:
        'The delivery that is attempted now: itself, or the one that replays its dead letter.',
    }),
  }),
);
export type RetriedDelivery = Static<typeof retriedDelivery>;

export const cancelledDelivery = named('CancelledDelivery', Type.Object({ id: deliveryId }));
export type CancelledDelivery = Static<typeof cancelledDelivery>;

export const deliveryPage = pageOf('DeliveryPage', deliverySummary);
export const attemptPage = pageOf('AttemptPage', attempt);
