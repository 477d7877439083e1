/** A moderate rate for hours: does memory stay where it is, and the latency too? */
import { publishToOne, steadyOptions, steadyTenants } from '../lib/steady.ts';
import { duration, rate } from '../lib/target.ts';
import { makeTenants, removeTenants } from '../lib/tenants.ts';
import { judge } from '../lib/verdict.ts';

export const options = steadyOptions('soak', rate(100), duration('4h'));

export function setup(): void {
  makeTenants(steadyTenants);
}

export default publishToOne;

export function teardown(): void {
  judge();
  removeTenants(steadyTenants);
}
