import type { Filter } from 'mongodb';
import { anyOf } from '#infra/mongo/any-of.ts';
import type { DeadLetterDocument } from '#infra/mongo/documents.ts';
import type { DeadLetterListQuery } from '#wire/api/dead-letter.ts';
import { timeRange } from '../history/time-range.ts';

type Filters = Pick<DeadLetterListQuery, 'endpoint_id' | 'event_type' | 'reason' | 'cause'>;

/**
 * Builds the MongoDB condition for a selection of dead letters; discarded ones never match.
 *
 * @param range of the time at which they became dead letters
 */
export function selected(
  lifeId: string,
  filters: Filters,
  range: ReturnType<typeof timeRange>,
): Filter<DeadLetterDocument> {
  return {
    tenant: lifeId,
    discarded_at: null,
    ...anyOf('endpoint', filters.endpoint_id),
    ...anyOf('reason', filters.reason),
    ...anyOf('cause', filters.cause),
    ...anyOf('type', filters.event_type),
    ...(range === undefined ? {} : { at: range }),
  };
}
