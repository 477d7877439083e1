/**
 * Reads the documents that a plan selects, oldest first, in pages. Each document gives items for
 * the plan's list, or reasons for which it is left out.
 */
import type { PlanDocument } from '#infra/mongo/replays/replay-store.ts';
import type { Candidate, CandidateDeps } from './candidate.ts';
import { deadLetterCandidates } from './dead-letter-candidates.ts';
import { deliveryCandidates } from './delivery-candidates.ts';
import { eventCandidates } from './event-candidates.ts';

/** Pages of candidates behind the plan's position; none is empty. */
export function candidatesOf(
  deps: CandidateDeps,
  plan: PlanDocument,
): AsyncGenerator<Candidate[], void, undefined> {
  switch (plan.kind) {
    case 'event':
    case 'range':
    case 'failed':
    case 'held':
      return deliveryCandidates(deps, plan);
    case 'dead_letters':
      return deadLetterCandidates(deps, plan);
    case 'missed':
    case 'unmatched':
      return eventCandidates(deps, plan);
    default:
      return plan.kind satisfies never;
  }
}
