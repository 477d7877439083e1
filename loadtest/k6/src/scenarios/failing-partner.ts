/**
 * The rate of a million an hour while some receivers are slow, some answer 500 and one never
 * answers.
 */
import type { Options } from 'k6/options';
import { publish } from '../lib/publish.ts';
import { duration, rate } from '../lib/target.ts';
import { type TenantPlan, makeTenants, removeTenants } from '../lib/tenants.ts';
import { judge } from '../lib/verdict.ts';

const TENANTS = 200;
const tenants: TenantPlan[] = Array.from({ length: TENANTS }, (_, i) => {
  const plan: TenantPlan = { name: `t${i}`, group: 't' };
  if (i < 2) plan.beside = ['slow'];
  else if (i < 4) plan.beside = ['error'];
  else if (i === 4) plan.beside = ['hang'];
  return plan;
});

export const options: Options = {
  setupTimeout: '5m',
  teardownTimeout: '10m',
  scenarios: {
    partners: {
      executor: 'constant-arrival-rate',
      rate: rate(278),
      duration: duration('5m'),
      preAllocatedVUs: 100,
      maxVUs: 1000,
    },
  },
  thresholds: {
    deliveries: ['value>0'],
    deliveries_lost: ['value==0'],
    deliveries_duplicated: ['value==0'],
    dropped_iterations: ['count==0'],
    e2e_p95_ms: ['value<30'],
  },
};

export function setup(): void {
  makeTenants(tenants);
}

export default function publishOne(): void {
  publish(`t${Math.floor(Math.random() * TENANTS)}`);
}

export function teardown(): void {
  judge();
  removeTenants(tenants);
}
