import type { DeadLetterDocument } from '#infra/mongo/documents.ts';
import type { PlanDocument } from '#infra/mongo/replays/replay-store.ts';
import { type Candidate, type CandidateDeps, endpointIdsOf, paged } from './candidate.ts';
import { unexamined } from './selection.ts';

const PAGE = 1000;
const FIELDS = {
  endpoint_id: 'endpoint',
  event_type: 'type',
  reason: 'reason',
  cause: 'cause',
  failed_at: 'at',
} as const;

type Examined = Pick<DeadLetterDocument, '_id' | 'event' | 'endpoint' | 'at' | 'replayed_at'> & {
  has_event: boolean;
};

/** Dead letters that were not discarded. */
export async function* deadLetterCandidates(
  deps: CandidateDeps,
  plan: PlanDocument,
): AsyncGenerator<Candidate[], void, undefined> {
  const letters = deps.history.deadLetters
    .find({ $and: [unexamined(plan, 'at', FIELDS), { discarded_at: null }] })
    .project<Examined>({
      event: 1,
      endpoint: 1,
      at: 1,
      replayed_at: 1,
      has_event: { $ne: ['$frame', null] },
    })
    .sort({ at: 1, _id: 1 })
    .batchSize(PAGE);
  for await (const page of paged(letters, PAGE)) {
    const endpoints = endpointIdsOf(deps.config, plan.tenant);
    yield page.map((letter) => {
      const { _id: id, event, endpoint, at } = letter;
      const reason = plan.action === 'discard' ? undefined : fault(letter, endpoints);
      if (reason !== undefined) return { at, id, items: [], leftOut: [reason] };
      return { at, id, items: [[event, endpoint, id]], leftOut: [] };
    });
  }
}

function fault(letter: Examined, endpoints: ReadonlySet<string>): string | undefined {
  if (letter.replayed_at !== null) return 'already_replayed';
  if (!letter.has_event) return 'event_expired';
  return endpoints.has(letter.endpoint) ? undefined : 'endpoint_deleted';
}
