/** Does it work at all: ten seconds, a few events. */
import type { Options } from 'k6/options';
import { publish } from '../lib/publish.ts';
import { duration, rate } from '../lib/target.ts';
import { healthyTenants, makeTenants, removeTenants } from '../lib/tenants.ts';
import { judge } from '../lib/verdict.ts';

const tenants = healthyTenants(3);

export const options: Options = {
  scenarios: {
    smoke: {
      executor: 'constant-arrival-rate',
      rate: rate(10),
      duration: duration('10s'),
      preAllocatedVUs: 10,
      maxVUs: 50,
    },
  },
  thresholds: {
    deliveries: ['value>0'],
    deliveries_lost: ['value==0'],
    deliveries_duplicated: ['value==0'],
    dropped_iterations: ['count==0'],
    e2e_p95_ms: ['value<250'],
  },
};

export function setup(): void {
  makeTenants(tenants);
}

export default function publishOne(): void {
  publish(`t${Math.floor(Math.random() * tenants.length)}`);
}

export function teardown(): void {
  judge();
  removeTenants(tenants);
}
