/** What the receiver says at the end, as metrics of k6, so that thresholds judge it. */
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
/** Of all that behave well, whichever group is judged. */
export const allP95 = new Gauge('e2e_all_p95_ms');

const POLL_S = 1;

/**
 * Waits until every accepted event has arrived, or `waitS` have passed. Each tenant has exactly one endpoint that
 * behaves well, whatever others it has: so as many deliveries are owed as events were accepted.
 *
 * @param group whose times are judged: all that behave well, or those of one group of tenants
 */
export function judge(group = 'all', waitS = 120): void {
  // Samples of the last iterations are on their way to the counter.
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

/** A script cannot read its own metrics, but k6 tells them over its REST API. */
function acceptedEvents(): number {
  const response = http.get(`${K6_API_URL}/v1/metrics/accepted`);
  return Number(response.json('data.attributes.sample.count'));
}
