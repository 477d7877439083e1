import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from '../fault.ts';

const CUT_MS = 12_000;

/**
 * Drops all packets for 12 s between the zone with the last broker and the last worker, and the
 * rest.
 */
export const cutZone: Fault = {
  name: 'cut-zone',
  lastsMs: CUT_MS,
  duplicates: 'while_it_lasts',
  needs: ({ zone }) => (zone === undefined ? 'network namespaces' : undefined),
  async strike({ zone }) {
    zone?.cut();
    await delay(CUT_MS);
    zone?.heal();
  },
};
