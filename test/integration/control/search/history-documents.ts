import { type DeliveryDocument, type EventDocument, eventKey } from '#infra/mongo/documents.ts';
import type { AttemptDocument } from '#infra/mongo/history/attempts.ts';

/** Recent: mongod removes documents older than the retention at any time. */
export const FIRST_MS = Date.now() - 3600_000;

/** Several documents share a time, so that the id orders them. */
const timeOf = (i: number) => new Date(FIRST_MS + Math.floor(i / 3) * 1000);
const padded = (i: number) => String(i).padStart(6, '0');

export function eventOf(
  life: string,
  i: number,
  fields: Partial<EventDocument> = {},
): EventDocument {
  const { id = `evt_${i}` } = fields;
  return {
    _id: eventKey(life, id),
    tenant: life,
    id,
    seq: i + 1,
    type: `order.type${i % 3}`,
    source: `/shop${i % 2}`,
    time: '2026-01-31T12:00:00Z',
    kind: 'json',
    data: `{"i":${i}}`,
    correlation_id: `req_${i}`,
    accepted_at: timeOf(i),
    routed: 1,
    ...fields,
  };
}

export function deliveryOf(
  life: string,
  i: number,
  fields: Partial<DeliveryDocument> = {},
): DeliveryDocument {
  const at = timeOf(i);
  return {
    _id: `dlv_${life}_${padded(i)}`,
    tenant: life,
    event: `evt_${i}`,
    endpoint: `ep_${i % 3}`,
    type: `order.type${i % 3}`,
    accepted_at: at,
    state: { hop: 1, rank: 4, status: 'delivered', reason: null, at, next_attempt_at: null },
    attempts: { [`att_${padded(i)}`]: 1 },
    last_attempt: { at, id: `att_${padded(i)}`, status: 200, failure: null },
    ...fields,
  };
}

export function attemptOf(
  life: string,
  i: number,
  fields: Partial<AttemptDocument> = {},
): AttemptDocument {
  return {
    _id: `att_${life}_${padded(i)}`,
    tenant: life,
    delivery: `dlv_${life}_${padded(i)}`,
    event: `evt_${i}`,
    endpoint: `ep_${i % 3}`,
    type: `order.type${i % 3}`,
    accepted_at: timeOf(i),
    no: 1,
    started_at: timeOf(i),
    duration_ms: 10,
    response_status: 200,
    response_body: 'ok',
    worker: 'w',
    ...fields,
  };
}
