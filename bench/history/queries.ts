/** The measured queries; each run takes other values. */
import { type DeliveryListQuery } from '#wire/api/search/delivery-list.ts';
import type { AttemptListQuery } from '#wire/api/search/attempt-list.ts';
import type { EventListQuery } from '#wire/api/search/event-list.ts';
import { DAYS, LARGE } from './seed.ts';

type Query<Q> = Record<string, (n: number) => Omit<Q, 'limit' | 'order'>>;

const DAY_MS = 86_400_000;

/** A time range of a day, `n` different ones. */
function day(endMs: number, n: number, field: string): Record<string, string> {
  const from = endMs - (1 + (n % (DAYS - 1))) * DAY_MS;
  return {
    [`${field}[gte]`]: new Date(from).toISOString(),
    [`${field}[lt]`]: new Date(from + DAY_MS).toISOString(),
  };
}

export function queriesOf(endMs: number, events: number) {
  const number = (n: number) => (n * 7919) % events;
  const endpoint = (n: number) => [`ep_${LARGE}_${n % 10}`];
  const type = (n: number) => [`order.type${n % 20}`];
  const eventId = (n: number) => `evt_${String(number(n)).padStart(22, '0')}`;
  const lists: Query<EventListQuery> = {
    none: () => ({}),
    'a day': (n) => day(endMs, n, 'accepted_at'),
    id: (n) => ({ id: [eventId(n)] }),
    idempotency_key: (n) => ({ idempotency_key: `key-${n}` }),
    correlation_id: (n) => ({ correlation_id: [`req_${number(n) >> 1}`] }),
    subject: (n) => ({ subject: [`order/${number(n) % 100_000}`] }),
    'status=unmatched': () => ({ status: ['unmatched'] }),
    event_type: (n) => ({ event_type: type(n) }),
    'event_type, a day': (n) => ({ event_type: type(n), ...day(endMs, n, 'accepted_at') }),
    source: (n) => ({ source: `/shop/${n % 50}` }),
  };
  const deliveries: Query<DeliveryListQuery> = {
    none: () => ({}),
    event_id: (n) => ({ event_id: [eventId(n)] }),
    endpoint_id: (n) => ({ endpoint_id: endpoint(n) }),
    'endpoint_id, status': (n) => ({ endpoint_id: endpoint(n), status: ['failed', 'held'] }),
    failure: () => ({ failure: ['timeout', 'dns'] }),
    response_status: (n) => ({ response_status: [500 + (n % 5)] }),
    response_class: () => ({ response_class: ['5xx'] }),
    'event_type, status': (n) => ({ event_type: type(n), status: ['failed'] }),
    event_type: (n) => ({ event_type: type(n) }),
    'status, a day': (n) => ({ status: ['failed'], ...day(endMs, n, 'accepted_at') }),
    status: () => ({ status: ['failed'] }),
  };
  const attempts: Query<AttemptListQuery> = {
    none: () => ({}),
    delivery_id: (n) => ({ delivery_id: [`dlv_${String(number(n) * 2).padStart(26, '0')}`] }),
    event_id: (n) => ({ event_id: [eventId(n)] }),
    'endpoint_id, failure': (n) => ({ endpoint_id: endpoint(n), failure: ['timeout'] }),
    'endpoint_id, status=failed': (n) => ({ endpoint_id: endpoint(n), status: ['failed'] }),
    endpoint_id: (n) => ({ endpoint_id: endpoint(n) }),
    failure: () => ({ failure: ['dns'] }),
    'status=failed': () => ({ status: ['failed'] }),
    response_status: (n) => ({ response_status: [500 + (n % 5)] }),
    response_class: () => ({ response_class: ['5xx'] }),
    'event_type, a day': (n) => ({ event_type: type(n), ...day(endMs, n, 'started_at') }),
  };
  const payload: Query<EventListQuery> = {
    'data[contains] that no event has': (n) => ({
      'data[contains]': `"sku-none-${n}"`,
      ...day(endMs, n, 'accepted_at'),
    }),
    'data[contains] that some have': (n) => ({
      'data[contains]': `"sku":"sku-${n}"`,
      ...day(endMs, n, 'accepted_at'),
    }),
    'filter on a string': (n) => ({
      filter: JSON.stringify({ 'data.order.sku': `sku-${n}` }),
      ...day(endMs, n, 'accepted_at'),
    }),
    'filter that no event passes': (n) => ({
      filter: JSON.stringify({ 'data.order.total': { $gt: 1000 + n } }),
      ...day(endMs, n, 'accepted_at'),
    }),
  };
  return { events: lists, deliveries, attempts, payload };
}
