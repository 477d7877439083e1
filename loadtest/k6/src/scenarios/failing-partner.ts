/**
 * The rate of a million an hour while some receivers are slow, some answer 500 and one never
 * answers.
 */
import { constantRate } from '../lib/constant-rate.ts';
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

export const options = constantRate('partners', rate(278), duration('5m'), {
  e2e_p95_ms: ['value<30'],
});

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
