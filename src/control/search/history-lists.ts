/** Lists and counts of events, deliveries and attempts (CT-5). */
import type { Document } from 'mongodb';
import type { Clock } from '#domain/clock.ts';
import { notFound } from '#domain/field-faults.ts';
import type { DeliveryDocument, EventDocument, History } from '#infra/mongo/documents.ts';
import type { AttemptDocument } from '#infra/mongo/history/attempts.ts';
import { type ListName, listIndexes, platformIndexes } from '#infra/mongo/history/list-indexes.ts';
import type { OrderedPageQuery } from '#wire/api/page.ts';
import type { AttemptFilterQuery, AttemptListQuery } from '#wire/api/search/attempt-list.ts';
import type { DeliveryFilterQuery, DeliveryListQuery } from '#wire/api/search/delivery-list.ts';
import type { EventFilterQuery, EventListQuery } from '#wire/api/search/event-list.ts';
import type { ListCount, PartialSearch } from '#wire/api/search/search-fields.ts';
import { type BoundList, boundList, encodeCursor } from '#wire/pagination.ts';
import type { FairSearches } from '../history/fair-searches.ts';
import { type Position, positionAt, timeSort } from '../history/time-order.ts';
import { queryRange } from '../history/time-range.ts';
import { attemptFilters } from './attempt-filters.ts';
import { BoundedSearch, type ListSearch, type Stop, type TimeField } from './bounded-search.ts';
import { deliveryFilters } from './delivery-filters.ts';
import { eventFilters } from './event-filters.ts';
import { type ListFilter, planList } from './list-plan.ts';
import { PayloadFilters, type PayloadFilterDeps } from './payload-filter.ts';
import type { SearchScope } from './search-scope.ts';

export interface HistoryListsDeps extends PayloadFilterDeps {
  history: Pick<History, ListName>;
  searches: FairSearches;
  clock: Pick<Clock, 'monotonicMs'>;
}

export interface SearchPage<D> {
  documents: D[];
  next_cursor: string | null;
  partial: PartialSearch;
}

const timeFields = {
  events: 'accepted_at',
  deliveries: 'accepted_at',
  attempts: 'started_at',
} as const satisfies Record<ListName, TimeField>;

/** Large fields that a list does not show. */
const RESPONSE = ['response_headers', 'response_body', 'response_body_encoding'] as const;

export class HistoryLists {
  private readonly deps: HistoryListsDeps;
  private readonly search: BoundedSearch;
  private readonly payloads: PayloadFilters;

  constructor(deps: HistoryListsDeps) {
    this.deps = deps;
    this.search = new BoundedSearch(deps.searches, deps.clock);
    this.payloads = new PayloadFilters(deps);
  }

  /**
   * Lists events without their data.
   *
   * @throws PosthornError POSTHORN_REQUEST_INVALID, POSTHORN_CURSOR_INVALID,
   * POSTHORN_FILTER_INVALID
   */
  async events(scope: SearchScope, query: EventListQuery): Promise<SearchPage<EventDocument>> {
    return this.page('events', scope, query, await this.eventSearch(scope, query));
  }

  async countEvents(scope: SearchScope, query: EventFilterQuery): Promise<ListCount> {
    return this.count(await this.eventSearch(scope, query));
  }

  /** @throws PosthornError POSTHORN_REQUEST_INVALID, POSTHORN_CURSOR_INVALID */
  async deliveries(
    scope: SearchScope,
    query: DeliveryListQuery,
  ): Promise<SearchPage<DeliveryDocument>> {
    return this.page('deliveries', scope, query, this.deliverySearch(scope, query));
  }

  async countDeliveries(scope: SearchScope, query: DeliveryFilterQuery): Promise<ListCount> {
    return this.count(this.deliverySearch(scope, query));
  }

  /**
   * Lists attempts, with their responses only if the query asks.
   *
   * @throws PosthornError POSTHORN_REQUEST_INVALID, POSTHORN_CURSOR_INVALID
   */
  async attempts(
    scope: SearchScope,
    query: AttemptListQuery,
  ): Promise<SearchPage<AttemptDocument>> {
    return this.page('attempts', scope, query, this.attemptSearch(scope, query));
  }

  async countAttempts(scope: SearchScope, query: AttemptFilterQuery): Promise<ListCount> {
    return this.count(this.attemptSearch(scope, query));
  }

  /** @throws PosthornError POSTHORN_RESOURCE_UNKNOWN */
  async attempt({ filters }: SearchScope, id: string): Promise<AttemptDocument> {
    const conditions = filters.map(({ condition }) => condition);
    const found = await this.deps.history.attempts.findOne({ $and: [{ _id: id }, ...conditions] });
    if (found === null) throw notFound('attempt', id);
    return found;
  }

  private async eventSearch(
    scope: SearchScope,
    query: EventFilterQuery,
  ): Promise<ListSearch<EventDocument>> {
    const { filters, ...payload } = await this.payloads.of(query);
    const search = this.searchOf<EventDocument>('events', scope, query, [
      ...eventFilters(scope, query),
      ...filters,
    ]);
    // A document without a sequence is a claim of ingress, not an event.
    search.plan.indexed.push({ seq: { $gt: 0 } });
    return { ...search, without: ['data'], ...payload };
  }

  private deliverySearch(
    scope: SearchScope,
    query: DeliveryFilterQuery,
  ): ListSearch<DeliveryDocument> {
    return this.searchOf('deliveries', scope, query, deliveryFilters(query));
  }

  private attemptSearch(
    scope: SearchScope,
    query: AttemptFilterQuery & Pick<AttemptListQuery, 'include'>,
  ): ListSearch<AttemptDocument> {
    const search = this.searchOf<AttemptDocument>('attempts', scope, query, attemptFilters(query));
    return query.include === 'response' ? search : { ...search, without: RESPONSE };
  }

  private searchOf<D extends Document>(
    list: ListName,
    { owner, lives, filters }: SearchScope,
    query: object,
    given: readonly ListFilter[],
  ): ListSearch<D> {
    const timeField = timeFields[list];
    const indexes = lives === undefined ? [platformIndexes[list]] : listIndexes[list];
    const plan = planList(indexes, [...filters, ...given]);
    // Every document has a time: an index that begins with it needs a condition on it.
    plan.indexed.push({ [timeField]: queryRange(query, timeField) ?? { $gte: new Date(0) } });
    const { order = 'newest' } = query as Partial<OrderedPageQuery>;
    const collection = this.deps.history[list] as never;
    return { collection, owner, timeField, plan, order, without: [] };
  }

  private async page<D extends Document>(
    name: ListName,
    scope: SearchScope,
    query: OrderedPageQuery,
    search: ListSearch<D>,
  ): Promise<SearchPage<D>> {
    const { limit, cursor } = query;
    const list = boundList(timeSort(name), scope.owner, query);
    const after = cursor === undefined ? undefined : positionAt(list, cursor);
    const { documents, stop } = await this.search.find(search, after, limit + 1);
    const shown = documents.slice(0, limit);
    const last = shown.at(-1);
    const hasMore = documents.length > limit && last !== undefined;
    const end = hasMore ? positionOf(last, search.timeField) : stop?.position;
    return {
      documents: shown,
      next_cursor: end === undefined ? null : cursorAt(list, end),
      partial: toPartial(hasMore ? null : stop),
    };
  }

  private async count<D extends Document>(search: ListSearch<D>): Promise<ListCount> {
    const { count, more, stop } = await this.search.count(search);
    const relation = more || stop !== null ? 'at_least' : 'exact';
    return { count, relation, partial: toPartial(stop) };
  }
}

/** The cursor behind a document, for a page that ends before the others of its documents. */
export function cursorBehind(
  name: ListName,
  scope: SearchScope,
  query: OrderedPageQuery,
  document: Document,
): string {
  const list = boundList(timeSort(name), scope.owner, query);
  return cursorAt(list, positionOf(document, timeFields[name]));
}

function positionOf(document: Document, field: TimeField): Position {
  return { at: document[field] as Date, id: String(document['_id']) };
}

function cursorAt(list: BoundList, { at, id }: Position): string {
  return encodeCursor(list, [at.getTime(), id]);
}

function toPartial(stop: Stop | null): PartialSearch {
  if (stop === null) return null;
  const { reason, examined, position } = stop;
  return { reason, examined_count: examined, reached_at: position.at.toISOString() };
}
