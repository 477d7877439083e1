import type { Filter } from 'mongodb';
import type { DeadLetterDocument } from '#infra/mongo/documents.ts';
import type { DeadLetterSelection } from '#wire/api/dead-letter.ts';
import { timeRange } from '../history/time-range.ts';

/**
 * Builds the MongoDB condition for a selection of dead letters; discarded ones never match.
 *
 * @param at prefix of the JSON pointers to the fields of the selection
 * @throws PosthornError POSTHORN_REQUEST_INVALID for an impossible time
 */
export function selected(
  lifeId: string,
  selection: DeadLetterSelection,
  at: '#query' | '',
): Filter<DeadLetterDocument> {
  const { endpoint, reason, cause, type } = selection;
  const range = timeRange(selection, at);
  return {
    tenant: lifeId,
    discarded_at: null,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(reason === undefined ? {} : { reason }),
    ...(cause === undefined ? {} : { cause }),
    ...(type === undefined ? {} : { type }),
    ...(range === undefined ? {} : { at: range }),
  };
}
