import type { Filter } from 'mongodb';
import { PosthornError } from '#domain/errors.ts';
import { anyOf } from '#infra/mongo/any-of.ts';
import type { DeadLetterDocument } from '#infra/mongo/documents.ts';
import type { DeadLetterSelection } from '#wire/api/dead-letter.ts';
import { timeRange } from '../history/time-range.ts';

type Filters = Pick<DeadLetterSelection, 'endpoint_id' | 'event_type' | 'reason' | 'cause'>;

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

/**
 * As `selected`, for the selection in the body of an action: an empty one is refused, because a
 * field that a caller forgot must not select everything.
 *
 * @throws PosthornError POSTHORN_REQUEST_INVALID for an empty selection, `all` together with
 *   another field, and an impossible time
 */
export function selectedForAction(
  lifeId: string,
  { all, failed_at: failedAt, ...filters }: DeadLetterSelection,
): Filter<DeadLetterDocument> {
  const isNarrowed = failedAt !== undefined || Object.keys(filters).length > 0;
  if (all === undefined && !isNarrowed) {
    throw invalid('is required: the selection is empty, and only true selects every dead letter');
  }
  if (all === true && isNarrowed) throw invalid('must be absent: other fields select dead letters');
  const range = timeRange(failedAt ?? {}, (bound) => `/failed_at/${bound}`);
  return selected(lifeId, filters, range);
}

function invalid(detail: string): PosthornError {
  return new PosthornError('POSTHORN_REQUEST_INVALID', { fields: [{ pointer: '/all', detail }] });
}
