/** 1,000,000 deliveries an hour (278/s), steadily; ten minutes unless `DURATION=1h`. */
import { publishToOne, steadyOptions, steadyTenants } from '../lib/steady.ts';
import { duration, rate } from '../lib/target.ts';
import { makeTenants, removeTenants } from '../lib/tenants.ts';
import { judge } from '../lib/verdict.ts';

export const options = steadyOptions('capacity', rate(278), duration('10m'));

export function setup(): void {
  makeTenants(steadyTenants);
}

export default publishToOne;

export function teardown(): void {
  judge();
  removeTenants(steadyTenants);
}
