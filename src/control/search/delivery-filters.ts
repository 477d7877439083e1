import type { DeliveryFilterQuery } from '#wire/api/search/delivery-list.ts';
import { FilterBuilder } from './filter-builder.ts';
import type { ListFilter } from './list-plan.ts';

const attemptCount = { $size: { $objectToArray: { $ifNull: ['$attempts', {}] } } };

/**
 * Builds the filters of a list of deliveries. Each is a condition on `DeliveryDocument`.
 *
 * @throws PosthornError POSTHORN_REQUEST_INVALID for a time that does not exist
 */
export function deliveryFilters(query: DeliveryFilterQuery): ListFilter[] {
  return new FilterBuilder(query)
    .during('updated_at', 'state.at')
    .during('next_attempt_at', 'state.next_attempt_at')
    .oneOf('event_id', 'event')
    .oneOf('endpoint_id', 'endpoint')
    .oneOf('event_type', 'type')
    .oneOf('status', 'state.status')
    .oneOf('reason', 'state.reason')
    .response('last_attempt.status')
    .oneOf('failure', 'last_attempt.failure')
    .within('attempt_count', (operator, bound) => ({
      $expr: { [operator]: [attemptCount, bound] },
    }))
    .oneOf('replay_of', 'replay_of')
    .oneOf('replay_id', 'replay').filters;
}
