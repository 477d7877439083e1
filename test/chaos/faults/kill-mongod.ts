import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from '../fault.ts';

const AWAY_MS = 30_000;

/** kill -9 of MongoDB, which stays away for 30 s. */
export const killMongod: Fault = {
  name: 'kill-mongod',
  lastsMs: AWAY_MS,
  duplicates: 'none',
  async strike({ system }) {
    await system.mongod.kill();
    await delay(AWAY_MS);
    await system.mongod.restart();
  },
};
