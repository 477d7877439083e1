import type { DeliveryDocument, EventDocument } from '#infra/mongo/documents.ts';
import type { PlanDocument, PlanItem } from '#infra/mongo/replays/replay-store.ts';
import { type Candidate, type CandidateDeps, paged } from './candidate.ts';
import { unexamined } from './selection.ts';

/** Their `data` is read too, for filters. */
const PAGE = 100;
/** A page ends early once it has this many items: the list is stored page by page. */
const ITEMS = 1000;
const FIELDS = { event_type: 'type', accepted_at: 'accepted_at' } as const;

type Known = Pick<DeliveryDocument, '_id' | 'event' | 'endpoint' | 'state' | 'replay_of'>;

/**
 * Events that match endpoints by their current subscriptions, for the kinds that select deliveries
 * which may never have been made.
 */
export async function* eventCandidates(
  deps: CandidateDeps,
  plan: PlanDocument,
): AsyncGenerator<Candidate[], void, undefined> {
  const ofKind = plan.kind === 'unmatched' ? { routed: 0 } : { seq: { $exists: true } };
  const events = deps.history.events
    .find({ $and: [unexamined(plan, 'accepted_at', FIELDS), ofKind] })
    .sort({ accepted_at: 1, _id: 1 })
    .batchSize(PAGE);
  for await (const page of paged(events, PAGE)) {
    const known = await deliveriesOf(deps, plan, page);
    let examined: Candidate[] = [];
    let items = 0;
    for (const event of page) {
      const candidate = await examine(deps, plan, event, known);
      examined.push(candidate);
      items += candidate.items.length;
      if (items < ITEMS) continue;
      yield examined;
      examined = [];
      items = 0;
    }
    if (examined.length > 0) yield examined;
  }
}

async function examine(
  { matches }: CandidateDeps,
  plan: PlanDocument,
  event: EventDocument,
  known: ReadonlyMap<string, Known[]>,
): Promise<Candidate> {
  const { _id, id, accepted_at: at, routed } = event;
  const leftOut: string[] = [];
  const items: PlanItem[] = [];
  const of = { at, id: _id, items, leftOut };
  if (routed === undefined) {
    leftOut.push('not_routed');
    return of;
  }
  const matched = await matches.of(event, plan.filter.endpoint_id);
  if (matched === 'payload_missing') leftOut.push(matched);
  else if (matched.length === 0) leftOut.push('not_matched');
  else {
    for (const endpoint of matched) {
      const made = known.get(keyOf(id, endpoint)) ?? [];
      const reason = reasonOf(made);
      if (reason !== undefined) leftOut.push(reason);
      else items.push([id, endpoint, originalOf(made)]);
    }
  }
  return of;
}

/** Why an endpoint did not miss an event: a delivery got there, or still may. */
function reasonOf(made: readonly Known[]): string | undefined {
  const statuses = made.map(({ state }) => state.status);
  return (['delivered', 'pending', 'held'] as const).find((each) => statuses.includes(each));
}

/** The delivery that the router made, or the first replay; empty: none was made. */
function originalOf(made: readonly Known[]): string {
  return (made.find(({ replay_of: of }) => of === undefined) ?? made[0])?._id ?? '';
}

async function deliveriesOf(
  { history }: CandidateDeps,
  { tenant, filter }: PlanDocument,
  events: readonly EventDocument[],
): Promise<Map<string, Known[]>> {
  const endpoints = filter.endpoint_id;
  const found = await history.deliveries
    .find({
      tenant,
      event: { $in: events.map(({ id }) => id) },
      ...(endpoints === undefined ? {} : { endpoint: { $in: endpoints } }),
    })
    .project<Known>({ event: 1, endpoint: 1, state: 1, replay_of: 1 })
    .toArray();
  return Map.groupBy(found, ({ event, endpoint }) => keyOf(event, endpoint));
}

/** Ids of endpoints have no slash. */
function keyOf(event: string, endpoint: string): string {
  return `${endpoint}/${event}`;
}
