/**
 * One tenant floods an endpoint that hangs; the others' times are judged, and those of its own
 * other endpoint.
 */
import type { Options } from 'k6/options';
import { publish } from '../lib/publish.ts';
import { duration, rate } from '../lib/target.ts';
import { type TenantPlan, healthyTenants, makeTenants, removeTenants } from '../lib/tenants.ts';
import { judge } from '../lib/verdict.ts';

const QUIET = 10;
const tenants: TenantPlan[] = [
  ...healthyTenants(QUIET, 'quiet'),
  { name: 'noisy', group: 'noisy', beside: ['hang'] },
];
const perS = rate(200);

export const options: Options = {
  teardownTimeout: '10m',
  scenarios: {
    noisy: {
      executor: 'constant-arrival-rate',
      rate: Math.round(perS * 0.8),
      duration: duration('2m'),
      preAllocatedVUs: 50,
      maxVUs: 500,
      exec: 'noisy',
    },
    quiet: {
      executor: 'constant-arrival-rate',
      rate: Math.round(perS * 0.2),
      duration: duration('2m'),
      preAllocatedVUs: 20,
      maxVUs: 200,
      exec: 'quiet',
    },
  },
  thresholds: {
    deliveries: ['value>0'],
    deliveries_lost: ['value==0'],
    deliveries_duplicated: ['value==0'],
    dropped_iterations: ['count==0'],
    e2e_p95_ms: ['value<20'],
    // Most of these go to the flooding tenant's other endpoint.
    e2e_all_p95_ms: ['value<1000'],
  },
};

export function setup(): void {
  makeTenants(tenants);
}

export function noisy(): void {
  publish('noisy');
}

export function quiet(): void {
  publish(`quiet${Math.floor(Math.random() * QUIET)}`);
}

export function teardown(): void {
  judge('quiet');
  removeTenants(tenants);
}
