/** Fills a database with the history of a month. */
import type { Collection, Document } from 'mongodb';
import {
  type DeliveryDocument,
  eventKey,
  type EventDocument,
  type History,
} from '#infra/mongo/documents.ts';
import type { AttemptDocument } from '#infra/mongo/history/attempts.ts';

export const DAYS = 30;
/** It has 3 of 5 events: of 1,000,000 in a month, 20,000 on each day. */
export const LARGE = 'large';
const SMALL_TENANTS = 40;
const INSERTED_AT_ONCE = 2000;
const ENDPOINTS = 10;
const TYPES = 20;
const statuses = ['failed', 'held', 'cancelled', 'pending'] as const;
const failures = ['timeout', 'dns', 'connect', 'reset'] as const;
const note = 'lorem ipsum dolor sit amet consectetur '.repeat(12);

/** Facts of an event by its number, the same in each run. */
export function factsOf(i: number, events: number, endMs: number) {
  const tenant = i % 5 < 3 ? LARGE : `small-${i % SMALL_TENANTS}`;
  const at = new Date(endMs - Math.round((DAYS * 86_400_000 * (events - i)) / events));
  const id = `evt_${String(i).padStart(22, '0')}`;
  return { tenant, at, id, type: `order.type${i % TYPES}`, correlation: `req_${i >> 1}` };
}

function eventOf(i: number, facts: ReturnType<typeof factsOf>): EventDocument {
  const { tenant, at, id, type, correlation } = facts;
  return {
    _id: eventKey(tenant, id),
    tenant,
    id,
    seq: i + 1,
    type,
    source: `/shop/${i % 50}`,
    subject: `order/${i % 100_000}`,
    time: at.toISOString(),
    kind: 'json',
    correlation_id: correlation,
    accepted_at: at,
    data: JSON.stringify({
      order: { id: `o-${i}`, total: i % 1000, sku: `sku-${i % 5000}` },
      note,
    }),
    routed: i % 100 === 0 ? 0 : 2,
  };
}

/** Two deliveries for each event; every other has two attempts, of which the first failed. */
function deliveriesOf(i: number, facts: ReturnType<typeof factsOf>) {
  const { tenant, at, id: event, type } = facts;
  const deliveries: DeliveryDocument[] = [];
  const attempts: AttemptDocument[] = [];
  for (const which of [0, 1]) {
    const id = `dlv_${String(i * 2 + which).padStart(26, '0')}`;
    const endpoint = `ep_${tenant}_${(i + which) % ENDPOINTS}`;
    const count = which + 1;
    const isFinal = (i + which) % 25 !== 0;
    const made: Record<string, number> = {};
    for (let no = 1; no <= count; no++) {
      const failed = no < count || !isFinal;
      const timedOut = failed && (i + which) % 3 === 0;
      const attempt: AttemptDocument = {
        _id: `att_${String((i * 2 + which) * 2 + no).padStart(26, '0')}`,
        tenant,
        delivery: id,
        event,
        endpoint,
        type,
        accepted_at: at,
        no,
        started_at: new Date(at.getTime() + no * 1000),
        duration_ms: 12.5 + (i % 200),
        worker: 'worker-0',
        response_headers: { 'content-type': 'text/plain' },
        response_body: failed ? 'temporarily unavailable' : 'ok',
      };
      if (failed) attempt.failure = timedOut ? (failures[i % 4] ?? 'timeout') : 'http_status';
      if (!timedOut) attempt.response_status = failed ? 500 + (i % 5) : 200;
      made[attempt._id] = no;
      attempts.push(attempt);
    }
    const last = attempts.at(-1) as AttemptDocument;
    const status = isFinal ? 'delivered' : (statuses[(i + which) % 4] ?? 'failed');
    deliveries.push({
      _id: id,
      tenant,
      event,
      endpoint,
      type,
      accepted_at: at,
      state: {
        hop: count,
        rank: 4,
        status,
        reason: status === 'failed' ? 'exhausted' : null,
        at: last.started_at,
        next_attempt_at: null,
      },
      attempts: made,
      last_attempt: {
        at: last.started_at,
        id: last._id,
        status: last.response_status ?? null,
        failure: last.failure ?? null,
      },
    });
  }
  return { deliveries, attempts };
}

/** Inserts the events, twice as many deliveries, and three times as many attempts. */
export async function seedHistory(history: History, events: number, endMs: number): Promise<void> {
  const stored: EventDocument[] = [];
  const deliveries: DeliveryDocument[] = [];
  const attempts: AttemptDocument[] = [];
  for (let i = 0; i < events; i++) {
    const facts = factsOf(i, events, endMs);
    stored.push(eventOf(i, facts));
    if (i % 100 !== 0) {
      const made = deliveriesOf(i, facts);
      deliveries.push(...made.deliveries);
      attempts.push(...made.attempts);
    }
    if (stored.length < INSERTED_AT_ONCE && i < events - 1) continue;
    await Promise.all([
      insert(history.events, stored),
      insert(history.deliveries, deliveries),
      insert(history.attempts, attempts),
    ]);
    if ((i + 1) % (INSERTED_AT_ONCE * 25) === 0) console.log(`${i + 1} events`);
  }
}

async function insert<D extends Document>(
  collection: Collection<D>,
  documents: D[],
): Promise<void> {
  const options = { ordered: false, writeConcern: { w: 1, journal: false } };
  await collection.insertMany(documents.splice(0) as never, options);
}
