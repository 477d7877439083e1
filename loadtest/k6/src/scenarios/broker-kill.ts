/** The runner kills the broker in the middle (`kill -9`): producers try again, nothing is lost. */
import type { Options } from 'k6/options';
import { steadyTenants } from '../lib/steady.ts';
import { duration, rate } from '../lib/target.ts';
import { removeTenants } from '../lib/tenants.ts';
import { judge } from '../lib/verdict.ts';

export const options: Options = {
  setupTimeout: '5m',
  teardownTimeout: '10m',
  scenarios: {
    brokerkill: {
      executor: 'constant-arrival-rate',
      rate: rate(100),
      duration: duration('1m'),
      preAllocatedVUs: 1000,
      maxVUs: 3000,
      gracefulStop: '90s',
    },
  },
  thresholds: {
    deliveries: ['value>0'],
    deliveries_lost: ['value==0'],
    // Deliveries in flight at the moment of the fault may arrive twice, under the same webhook-id.
    deliveries_duplicated: ['value<200'],
    dropped_iterations: ['count==0'],
  },
};

export { makeSteadyTenants as setup, publishToOne as default } from '../lib/steady.ts';

export function teardown(): void {
  judge('all', 180);
  removeTenants(steadyTenants);
}
