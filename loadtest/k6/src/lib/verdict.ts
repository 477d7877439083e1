/** Turns the receiver's final report into k6 metrics for the thresholds. */
import { sleep } from 'k6';
import http from 'k6/http';
import { Gauge } from 'k6/metrics';
import { K6_API_URL, RECEIVER_URL } from './target.ts';

/** Of the receiver. Times in milliseconds, from before the publish to the receipt. */
interface Stats {
  unique: number;
  duplicates: number;
  p50_ms: number;
  p95_ms: number;
  p99_ms: number;
}

export const lost = new Gauge('deliveries_lost');
export const duplicates = new Gauge('deliveries_duplicated');
export const delivered = new Gauge('deliveries');
export const e2eP50 = new Gauge('e2e_p50_ms');
export const e2eP95 = new Gauge('e2e_p95_ms');
export const e2eP99 = new Gauge('e2e_p99_ms');
/** Of all healthy endpoints, whichever group is judged. */
export const allP95 = new Gauge('e2e_all_p95_ms');

const POLL_S = 1;

/**
 * Waits until every accepted event has arrived, or `waitS` seconds have passed. Each tenant has
 * exactly one healthy endpoint, so the number of deliveries must equal the number of accepted
 * events.
 *
 * @param group whose latencies are judged: all healthy endpoints, or those of one group of tenants
 */
export function judge(group = 'all', waitS = 120): void {
  // Samples of the last iterations may not have reached the counter yet.
  sleep(POLL_S);
  const expected = acceptedEvents();
  let groups = read();
  for (let waited = 0; groups.all.unique < expected && waited < waitS; waited += POLL_S) {
    sleep(POLL_S);
    groups = read();
  }
  const times = groups[group] ?? groups.all;
  lost.add(Math.max(0, expected - groups.all.unique));
  delivered.add(groups.all.unique);
  duplicates.add(groups.all.duplicates);
  e2eP50.add(times.p50_ms);
  e2eP95.add(times.p95_ms);
  e2eP99.add(times.p99_ms);
  allP95.add(groups.all.p95_ms);
}

function read(): { all: Stats; [group: string]: Stats } {
  const response = http.get(`${RECEIVER_URL}/stats`);
  return response.json('groups') as unknown as { all: Stats; [group: string]: Stats };
}

/** A script cannot read its own metrics, but k6 serves them over its REST API. */
function acceptedEvents(): number {
  const response = http.get(`${K6_API_URL}/v1/metrics/accepted`);
  return Number(response.json('data.attributes.sample.count'));
}
