import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from '../../fault.ts';

const AWAY_MS = 2000;

/** Kills all brokers together with SIGKILL, and restarts them after 2 s. */
export const killAllBrokers: Fault = {
  name: 'kill-all-brokers',
  lastsMs: AWAY_MS + 4000,
  duplicates: 'while_it_lasts',
  async strike({ system }) {
    await Promise.all(system.brokers.map((broker) => broker.kill()));
    await delay(AWAY_MS);
    await Promise.all(system.brokers.map((broker) => broker.restart()));
  },
};
