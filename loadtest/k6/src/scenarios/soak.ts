/** A moderate rate for hours: does memory stay where it is, and the latency too? */
import { steadyOptions } from '../lib/steady.ts';
import { duration, rate } from '../lib/target.ts';

export const options = steadyOptions('soak', rate(100), duration('4h'));

export {
  judgeSteadyTenants as teardown,
  makeSteadyTenants as setup,
  publishToOne as default,
} from '../lib/steady.ts';
