import type { Filter } from 'mongodb';
import type { DeadLetterDocument } from '#infra/mongo/documents.ts';
import type { DeadLetterSelection } from '#wire/api/dead-letter.ts';
import { timeRange } from '../history/time-range.ts';

/**
 * The dead letters that a caller means, as a condition of MongoDB; those that were discarded are never meant.
 *
 * @param at what the pointers to its fields begin with
 * @throws PosthornError POSTHORN_REQUEST_INVALID for a time that is none
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
