import type { History } from '#infra/mongo/documents.ts';
import type { PlanItem } from '#infra/mongo/replays/replay-store.ts';
import type { PayloadStore } from '#infra/payload-store.ts';
import type { ConfigView } from '#wire/config-snapshot.ts';
import type { CurrentMatches } from './current-matches.ts';

/** A document that was examined. */
export interface Candidate {
  /** Its position in the order of its collection. */
  at: Date;
  id: string;
  items: PlanItem[];
  /** A reason for each item that it would have given. */
  leftOut: string[];
}

export interface CandidateDeps {
  history: History;
  config: Pick<ConfigView, 'tenant'>;
  payloads: Pick<PayloadStore, 'size'>;
  matches: Pick<CurrentMatches, 'of'>;
}

/** Collects documents into pages. */
export async function* paged<T>(
  documents: AsyncIterable<T>,
  size: number,
): AsyncGenerator<T[], void, undefined> {
  let page: T[] = [];
  for await (const document of documents) {
    page.push(document);
    if (page.length < size) continue;
    yield page;
    page = [];
  }
  if (page.length > 0) yield page;
}

/** The ids of the tenant's endpoints, as far as this process knows. */
export function endpointIdsOf(config: CandidateDeps['config'], lifeId: string): Set<string> {
  return new Set(config.tenant(lifeId)?.endpoints.map(({ id }) => id));
}
