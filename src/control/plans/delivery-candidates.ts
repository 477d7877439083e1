import { type DeliveryDocument, eventKey } from '#infra/mongo/documents.ts';
import type { PlanDocument } from '#infra/mongo/replays/replay-store.ts';
import { type Candidate, type CandidateDeps, endpointIdsOf, paged } from './candidate.ts';
import { unexamined } from './selection.ts';

const PAGE = 1000;
const FIELDS = {
  event_id: 'event',
  endpoint_id: 'endpoint',
  event_type: 'type',
  status: 'state.status',
  reason: 'state.reason',
  accepted_at: 'accepted_at',
} as const;

type Examined = Pick<DeliveryDocument, '_id' | 'event' | 'endpoint' | 'accepted_at' | 'state'>;

/** Deliveries, for the kinds that select deliveries by their own fields. */
export async function* deliveryCandidates(
  deps: CandidateDeps,
  plan: PlanDocument,
): AsyncGenerator<Candidate[], void, undefined> {
  const ofKind = STATUS_OF_KIND[plan.kind];
  const condition = unexamined(plan, 'accepted_at', FIELDS);
  const documents = deps.history.deliveries
    .find(ofKind === undefined ? condition : { $and: [condition, { 'state.status': ofKind }] })
    .project<Examined>({ event: 1, endpoint: 1, accepted_at: 1, state: 1 })
    .sort({ accepted_at: 1, _id: 1 })
    .batchSize(PAGE);
  for await (const page of paged(documents, PAGE)) {
    const lost = plan.action === 'replay' ? await lostEvents(deps, plan.tenant, page) : undefined;
    const endpoints = endpointIdsOf(deps.config, plan.tenant);
    const ordered = orderedOf(deps, plan.tenant);
    yield page.map((delivery) => {
      const { _id: id, event, endpoint, accepted_at: at, state } = delivery;
      const reason =
        statusFault(plan.action, state.status) ??
        (endpoints.has(endpoint) || plan.action === 'cancel' ? undefined : 'endpoint_deleted') ??
        (plan.action === 'release' && ordered.has(endpoint) ? 'endpoint_ordered' : undefined) ??
        lost?.(event);
      if (reason !== undefined) return { at, id, items: [], leftOut: [reason] };
      return { at, id, items: [[event, endpoint, id]], leftOut: [] };
    });
  }
}

const STATUS_OF_KIND: Readonly<Partial<Record<PlanDocument['kind'], string>>> = {
  failed: 'failed',
  held: 'held',
};

/** The status, if a delivery that has it is left out of a plan with this action. */
export function statusFault(
  action: PlanDocument['action'],
  status: DeliveryDocument['state']['status'],
): string | undefined {
  const isUnderWay = status === 'pending' || status === 'held';
  if (action === 'replay') return isUnderWay ? status : undefined;
  if (action === 'cancel') return isUnderWay ? undefined : status;
  return status === 'held' ? undefined : status;
}

function orderedOf({ config }: CandidateDeps, lifeId: string): Set<string> {
  const endpoints = config.tenant(lifeId)?.endpoints ?? [];
  return new Set(endpoints.filter(({ ordered }) => ordered !== undefined).map(({ id }) => id));
}

/** Finds out which events of these deliveries cannot be sent again, and why. */
async function lostEvents(
  { history, payloads }: CandidateDeps,
  lifeId: string,
  deliveries: readonly Examined[],
): Promise<(event: string) => string | undefined> {
  const ids = [...new Set(deliveries.map(({ event }) => event))];
  const events = await history.events
    .find({ _id: { $in: ids.map((id) => eventKey(lifeId, id)) }, seq: { $exists: true } })
    .project<{ id: string; payload?: { key: string } }>({ id: 1, payload: 1 })
    .toArray();
  const known = new Map<string, string | undefined>();
  for (const { id, payload } of events) {
    const isKept = payload === undefined || (await payloads.size(payload.key)) !== undefined;
    known.set(id, isKept ? undefined : 'payload_missing');
  }
  return (event) => (known.has(event) ? known.get(event) : 'event_expired');
}
