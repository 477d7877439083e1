/** A steady rate to many tenants, a few of them busy: what capacity and soak have in common. */
import type { Options } from 'k6/options';
import { Zipf } from './zipf.ts';
import { publish } from './publish.ts';
import { type TenantPlan, healthyTenants } from './tenants.ts';

const TENANTS = 100;

export const steadyTenants: TenantPlan[] = healthyTenants(TENANTS);
const zipf = new Zipf(TENANTS);

export function publishToOne(): void {
  publish(`t${zipf.pick()}`);
}

/** @param perS events a second */
export function steadyOptions(name: string, perS: number, length: string): Options {
  return {
    setupTimeout: '5m',
    teardownTimeout: '10m',
    scenarios: {
      [name]: {
        executor: 'constant-arrival-rate',
        rate: perS,
        duration: length,
        preAllocatedVUs: 100,
        maxVUs: 1000,
      },
    },
    thresholds: {
      deliveries: ['value>0'],
      deliveries_lost: ['value==0'],
      deliveries_duplicated: ['value==0'],
      // A generator that cannot keep up would otherwise pass with less load than it says.
      dropped_iterations: ['count==0'],
      http_req_failed: ['rate==0'],
      e2e_p95_ms: ['value<20'],
    },
  };
}
