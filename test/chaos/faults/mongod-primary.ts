import { setTimeout as delay } from 'node:timers/promises';
import { MongoClient } from 'mongodb';
import type { RestartableServer } from '#testkit/restartable-server.ts';
import type { System } from '#testkit/system.ts';
import type { Fault } from '../fault.ts';

const AWAY_MS = 60_000;
const PAUSE_MS = 20_000;

/** Kills MongoDB's primary with SIGKILL, and restarts it after a minute. */
export const killMongodPrimary: Fault = {
  name: 'kill-mongod-primary',
  lastsMs: AWAY_MS,
  duplicates: 'none',
  async strike({ system }) {
    const primary = await primaryOf(system);
    await primary.kill();
    await delay(AWAY_MS);
    await primary.restart();
  },
};

/** Stops MongoDB's primary with SIGSTOP for 20 s. When it resumes, another member is primary. */
export const pauseMongodPrimary: Fault = {
  name: 'pause-mongod-primary',
  lastsMs: PAUSE_MS,
  duplicates: 'none',
  async strike({ system }) {
    const primary = await primaryOf(system);
    await primary.kill('SIGSTOP');
    await delay(PAUSE_MS);
    await primary.kill('SIGCONT');
  },
};

async function primaryOf({ mongodUrl, mongods }: System): Promise<RestartableServer> {
  const client = new MongoClient(mongodUrl);
  try {
    const { primary } = await client.db('admin').command({ hello: 1 });
    const found = mongods.find(({ url }) => url.includes(`/${primary}/`));
    if (found === undefined) throw new Error(`no mongod is the primary ${primary}`);
    return found;
  } finally {
    await client.close();
  }
}
