/** Schemas of lists of deliveries. */
import { type Static, Type } from 'typebox';
import { attemptFailure, deliveryStatus, deliverySummary } from '../delivery.ts';
import { eventId, eventTypeName, resourceId, strict } from '../fields.ts';
import { filterBy, orderField, pageFields, timeRangeFields } from '../page.ts';
import {
  integerRangeFields,
  responseStatusFields,
  searchPageOf,
  tenantField,
} from './search-fields.ts';

const filters = {
  ...timeRangeFields('accepted_at'),
  ...timeRangeFields('updated_at'),
  ...timeRangeFields('next_attempt_at'),
  event_id: filterBy(eventId),
  endpoint_id: filterBy(resourceId('an endpoint', 'ep')),
  event_type: filterBy(eventTypeName),
  status: filterBy(deliveryStatus),
  reason: filterBy(
    Type.String({
      minLength: 1,
      maxLength: 64,
      description: 'Why the delivery failed, is held or was cancelled.',
      examples: ['exhausted'],
    }),
  ),
  ...responseStatusFields,
  failure: filterBy(attemptFailure),
  ...integerRangeFields('attempt_count'),
  replay_of: filterBy(resourceId('the delivery that this one sends again', 'dlv')),
  replay_id: filterBy(resourceId('the replay that created the delivery', 'rpl')),
};

export const deliveryCountQuery = Type.Object(filters, strict);
export const deliveryListQuery = Type.Object(
  { ...pageFields, ...orderField('newest'), ...filters },
  strict,
);
export type DeliveryListQuery = Static<typeof deliveryListQuery>;
export type DeliveryFilterQuery = Static<typeof deliveryCountQuery>;

export const allDeliveryCountQuery = Type.Object({ ...filters, ...tenantField }, strict);
export const allDeliveryListQuery = Type.Object(
  { ...pageFields, ...orderField('newest'), ...filters, ...tenantField },
  strict,
);

export const deliverySearchPage = searchPageOf('DeliverySearchPage', deliverySummary);
