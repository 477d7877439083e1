import type { EventStatus } from '#domain/event/event-status.ts';
import { possibleEventIds } from '#domain/event/event-id.ts';
import { limits } from '#domain/limits.ts';
import { tenantIdOf } from '#domain/tenant.ts';
import { eventKey } from '#infra/mongo/documents.ts';
import type { EventFilterQuery } from '#wire/api/search/event-list.ts';
import { idOfBatchKey, idOfKey } from '#wire/published/idempotency-id.ts';
import { FilterBuilder, requireField } from './filter-builder.ts';
import type { ListFilter } from './list-plan.ts';
import type { SearchScope } from './search-scope.ts';

/**
 * Builds the filters of a list of events, except those on their data. Each is a condition on
 * `EventDocument`.
 *
 * @throws PosthornError POSTHORN_REQUEST_INVALID
 */
export function eventFilters(scope: SearchScope, query: EventFilterQuery): ListFilter[] {
  const builder = new FilterBuilder(query)
    .oneOf('subject', 'subject')
    .oneOf('correlation_id', 'correlation_id')
    .oneOf('event_type', 'type');
  const { source, status } = query;
  const hasProducer = query.producer_id !== undefined;
  if (source !== undefined && !hasProducer) builder.add('source', { source });
  addStatus(builder, status);
  const ids = idsOf(scope, query);
  if (ids.length === 0) return builder.filters;
  if (scope.lives === undefined) {
    for (const { of } of ids) builder.add('id_of_all', { id: { $in: of('') } });
    return builder.filters;
  }
  const sets = ids.map(({ of }) =>
    (scope.lives ?? []).flatMap((life) => of(tenantIdOf(life)).map((id) => eventKey(life, id))),
  );
  const [first = [], ...others] = sets;
  const both = first.filter((key) => others.every((other) => other.includes(key)));
  const condition = { _id: { $in: both }, ...(hasProducer ? { source } : {}) };
  return builder.add('id', condition).filters;
}

interface Ids {
  /** Returns the ids that an event of a tenant can have. */
  of: (tenantId: string) => readonly string[];
}

/** A filter that names events derives their ids, so that the key of the collection finds them. */
function idsOf(scope: SearchScope, query: EventFilterQuery): Ids[] {
  const { id, idempotency_key: key, producer_id: producerId, source } = query;
  const ids: Ids[] = [];
  if (id !== undefined) ids.push({ of: () => id });
  if (key !== undefined) {
    const derived = [idOfKey(key)];
    for (let i = 0; i < limits.batchEventsMax; i++) derived.push(idOfBatchKey(key, i));
    ids.push({ of: () => derived });
  }
  if (producerId !== undefined) {
    if (source === undefined) requireField('source', 'is required with producer_id');
    if (scope.lives === undefined) requireField('tenant_id', 'is required with producer_id');
    ids.push({ of: (tenantId) => possibleEventIds(tenantId, source, producerId) });
  }
  return ids;
}

function addStatus(builder: FilterBuilder, status: readonly EventStatus[] | undefined): void {
  const distinct = new Set(status);
  if (distinct.size === 0) return;
  if (distinct.size === 1 && distinct.has('unmatched')) builder.add('unmatched', { routed: 0 });
  else builder.add('status', { $or: [...distinct].map(ofStatus) });
}

function ofStatus(status: EventStatus): object {
  if (status === 'accepted') return { routed: { $exists: false } };
  return { routed: status === 'unmatched' ? 0 : { $gt: 0 } };
}
