import { setTimeout as delay } from 'node:timers/promises';
import type { RestartableServer } from '#testkit/restartable-server.ts';
import type { Arena, Fault } from '../../fault.ts';
import { anyBroker, streamLeader } from './choose-broker.ts';

const PAUSE_MS = 8000;

export const pauseBroker = pause('pause-broker', async (arena) => [await anyBroker(arena)]);
export const pauseStreamLeader = pause('pause-stream-leader', async (arena) => [
  await streamLeader(arena),
]);
export const pauseAllBrokers = pause('pause-all-brokers', async ({ system }) => system.brokers);

/** Stops one broker with SIGSTOP for 8 s: connections stay open and requests get no answer. */
function pause(name: string, choose: (arena: Arena) => Promise<RestartableServer[]>): Fault {
  return {
    name,
    lastsMs: PAUSE_MS,
    duplicates: 'while_it_lasts',
    async strike(arena) {
      const brokers = await choose(arena);
      await Promise.all(brokers.map((broker) => broker.kill('SIGSTOP')));
      await delay(PAUSE_MS);
      await Promise.all(brokers.map((broker) => broker.kill('SIGCONT')));
    },
  };
}
