import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from '../fault.ts';

const FULL_MS = 8000;

/** The disk of one broker has no free block for 8 s. */
export const fillDisk: Fault = {
  name: 'full-disk',
  lastsMs: FULL_MS,
  duplicates: 'while_it_lasts',
  needs: ({ system }) => (system.smallDisk === undefined ? 'a mount namespace' : undefined),
  async strike({ system }) {
    system.smallDisk?.fill();
    await delay(FULL_MS);
    system.smallDisk?.free();
  },
};
