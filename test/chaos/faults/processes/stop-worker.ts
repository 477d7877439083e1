import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from '../../fault.ts';
import { chooseProcess } from './choose-process.ts';

const AWAY_MS = 1000;

/** Stops a worker with SIGTERM, as in a rolling restart, and restarts it a second later. */
export const stopWorker: Fault = {
  name: 'stop-delivery',
  lastsMs: 4000,
  duplicates: 'none',
  strikesWorker: true,
  async strike(arena) {
    const worker = await chooseProcess(arena, 'delivery');
    await worker.process.stop();
    await delay(AWAY_MS);
    await worker.restart();
  },
};
