/**
 * 10,000 producers at the same time, each with its own connection that it keeps: none is
 * refused.
 */
import { sleep } from 'k6';
import type { Options } from 'k6/options';
import { publishToOne } from '../lib/steady.ts';
import { duration } from '../lib/target.ts';

const PRODUCERS = 10_000;
/** Each publishes an event this often: 333 a second from all. */
const EVERY_S = 30;

export const options: Options = {
  setupTimeout: '5m',
  teardownTimeout: '10m',
  scenarios: {
    producers: {
      executor: 'ramping-vus',
      stages: [
        { target: PRODUCERS, duration: '1m' },
        { target: PRODUCERS, duration: duration('2m') },
      ],
      gracefulStop: '60s',
      gracefulRampDown: '60s',
    },
  },
  thresholds: {
    deliveries: ['value>0'],
    deliveries_lost: ['value==0'],
    deliveries_duplicated: ['value==0'],
    http_req_failed: ['rate==0'],
    e2e_p95_ms: ['value<100'],
  },
};

export default function publishAndRest(): void {
  sleep(Math.random() * EVERY_S);
  publishToOne();
  sleep(EVERY_S / 2);
}

export { judgeSteadyTenants as teardown, makeSteadyTenants as setup } from '../lib/steady.ts';
