import type { Fault } from '../fault.ts';

/** Nothing happens: what the other rows are compared with. */
export const noFault: Fault = {
  name: 'none',
  lastsMs: 1000,
  duplicates: 'none',
  strike: () => Promise.resolve(),
};
