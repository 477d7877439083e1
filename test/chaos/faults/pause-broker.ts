import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from '../fault.ts';

const PAUSE_MS = 8000;

/** SIGSTOP of one broker, chosen by the seed: its connections stay open and nobody answers. */
export const pauseBroker: Fault = {
  name: 'pause-broker',
  lastsMs: PAUSE_MS,
  duplicates: 'in_flight',
  async strike({ system, random }) {
    const broker = system.brokers[Math.floor(random() * system.brokers.length)];
    await broker?.kill('SIGSTOP');
    await delay(PAUSE_MS);
    await broker?.kill('SIGCONT');
  },
};
