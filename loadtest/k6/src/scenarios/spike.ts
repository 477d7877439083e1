/**
 * Ten times the usual rate for a minute, and back: nothing is lost, and the backlog is gone soon.
 */
import type { Options } from 'k6/options';
import { rate } from '../lib/target.ts';

const usual = rate(100);

export const options: Options = {
  setupTimeout: '5m',
  teardownTimeout: '10m',
  scenarios: {
    spike: {
      executor: 'ramping-arrival-rate',
      startRate: usual,
      stages: [
        { target: usual, duration: '1m' },
        { target: usual * 10, duration: '1s' },
        { target: usual * 10, duration: '1m' },
        { target: usual, duration: '1s' },
        { target: usual, duration: '1m' },
      ],
      preAllocatedVUs: 500,
      maxVUs: 2000,
    },
  },
  thresholds: {
    deliveries: ['value>0'],
    deliveries_lost: ['value==0'],
    deliveries_duplicated: ['value==0'],
    dropped_iterations: ['count==0'],
    e2e_p95_ms: ['value<1000'],
  },
};

export {
  judgeSteadyTenants as teardown,
  makeSteadyTenants as setup,
  publishToOne as default,
} from '../lib/steady.ts';
