/** 1,000,000 deliveries an hour (278/s), steadily; ten minutes unless `DURATION=1h`. */
import { steadyOptions } from '../lib/steady.ts';
import { duration, rate } from '../lib/target.ts';

export const options = steadyOptions('capacity', rate(278), duration('10m'));

export {
  judgeSteadyTenants as teardown,
  makeSteadyTenants as setup,
  publishToOne as default,
} from '../lib/steady.ts';
