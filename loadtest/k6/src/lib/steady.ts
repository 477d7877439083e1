/**
 * Many tenants, a few of them busy: the common parts of these scenarios from `setup` to `teardown`,
 * and the steady rate of capacity and soak.
 */
import type { Options } from 'k6/options';
import { Zipf } from './zipf.ts';
import { constantRate } from './constant-rate.ts';
import { publish } from './publish.ts';
import { type TenantPlan, healthyTenants, makeTenants, removeTenants } from './tenants.ts';
import { judge } from './verdict.ts';

const TENANTS = 100;

export const steadyTenants: TenantPlan[] = healthyTenants(TENANTS);
const zipf = new Zipf(TENANTS);

/** `setup` */
export function makeSteadyTenants(): void {
  makeTenants(steadyTenants);
}

/** `teardown`: the figures for the thresholds; then removes the tenants. */
export function judgeSteadyTenants(): void {
  judge();
  removeTenants(steadyTenants);
}

/** `default` */
export function publishToOne(): void {
  publish(`t${zipf.pick()}`);
}

/** @param perS events a second */
export function steadyOptions(name: string, perS: number, length: string): Options {
  return constantRate(name, perS, length, {
    http_req_failed: ['rate==0'],
    e2e_p95_ms: ['value<20'],
  });
}
