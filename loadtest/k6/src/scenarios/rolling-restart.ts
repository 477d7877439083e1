/**
 * The runner stops and starts each process in turn (SIGTERM): producers see nothing of it, nothing
 * is lost.
 */
import type { Options } from 'k6/options';
import { duration, rate } from '../lib/target.ts';

const perS = rate(278);

export const options: Options = {
  setupTimeout: '5m',
  teardownTimeout: '10m',
  scenarios: {
    rollingrestart: {
      executor: 'constant-arrival-rate',
      rate: perS,
      duration: duration('3m'),
      // Each keeps a connection and uses it once a second, at any rate: a process that stops asks
      // its clients to leave, and can ask only those that ask it for something.
      preAllocatedVUs: perS,
      maxVUs: 1000,
      gracefulStop: '60s',
    },
  },
  thresholds: {
    deliveries: ['value>0'],
    deliveries_lost: ['value==0'],
    dropped_iterations: ['count==0'],
    http_req_failed: ['rate==0'],
  },
};

export {
  judgeSteadyTenants as teardown,
  makeSteadyTenants as setup,
  publishToOne as default,
} from '../lib/steady.ts';
