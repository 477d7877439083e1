import { setTimeout as delay } from 'node:timers/promises';
import type { RestartableServer } from '#testkit/restartable-server.ts';
import type { Arena, Fault } from '../../fault.ts';
import { anyBroker, streamLeader } from './choose-broker.ts';

const AWAY_MS = 4000;

export const killBroker = killOne('kill-broker', anyBroker);
export const killStreamLeader = killOne('kill-stream-leader', streamLeader);

/** Kills one broker with SIGKILL, and restarts it after 4 s. */
function killOne(name: string, choose: (arena: Arena) => Promise<RestartableServer>): Fault {
  return {
    name,
    lastsMs: AWAY_MS,
    duplicates: 'while_it_lasts',
    async strike(arena) {
      const broker = await choose(arena);
      await broker.kill();
      await delay(AWAY_MS);
      await broker.restart();
    },
  };
}
