import { type Panel, ofQueues, percentiles, rate } from './panel.ts';

export const ATTEMPTS = 'posthorn_delivery_attempts_total';
export const OLDEST = ofQueues('posthorn_consumer_oldest_seconds', 'stream, consumer');
export const PENDING = ofQueues('posthorn_consumer_pending_messages', 'stream, consumer');
export const UNACKED = ofQueues('posthorn_consumer_unacked_messages', 'stream, consumer');

export const ingest: Panel = {
  title: 'Events taken, by result',
  says: 'not_stored: answered 503. refused: not valid, or not allowed.',
  unit: 'cps',
  queries: [[rate('posthorn_ingress_events_total', 'result'), '{{result}}']],
};
export const attempts: Panel = {
  title: 'Attempts, by outcome',
  unit: 'cps',
  queries: [[rate(ATTEMPTS, 'outcome'), '{{outcome}}']],
};
export const lag: Panel = {
  title: 'From acceptance to the first attempt',
  unit: 's',
  queries: percentiles('posthorn_delivery_first_attempt_lag_seconds'),
};
