import { attemptFailureKinds } from '#domain/outcome/delivery.ts';
import type { AttemptFilterQuery } from '#wire/api/search/attempt-list.ts';
import { FilterBuilder } from './filter-builder.ts';
import type { ListFilter } from './list-plan.ts';

/** Builds the filters of a list of attempts. Each is a condition on `AttemptDocument`. */
export function attemptFilters(query: AttemptFilterQuery): ListFilter[] {
  const filters = new FilterBuilder(query)
    .oneOf('delivery_id', 'delivery')
    .oneOf('event_id', 'event')
    .oneOf('endpoint_id', 'endpoint')
    .oneOf('event_type', 'type')
    .oneOf('failure', 'failure')
    .response('response_status')
    .within('number', (operator, bound) => ({ no: { [operator]: bound } }))
    .within('duration_ms', (operator, bound) => ({ duration_ms: { [operator]: bound } }));
  const { status = [] } = query;
  const [succeeded, failed] = [status.includes('succeeded'), status.includes('failed')];
  if (failed && !succeeded) filters.add('failed', { failure: { $in: [...attemptFailureKinds] } });
  if (succeeded && !failed) filters.add('succeeded', { failure: { $exists: false } });
  return filters.filters;
}
