import type { Fault } from '../fault.ts';

/** No fault: the baseline for the other rows. */
export const noFault: Fault = {
  name: 'none',
  lastsMs: 1000,
  duplicates: 'none',
  strike: () => Promise.resolve(),
};
