import { setTimeout as delay } from 'node:timers/promises';
import type { Role } from '#config/schema.ts';
import type { Fault } from '../../fault.ts';
import { chooseProcess } from './choose-process.ts';

const AWAY_MS = 1000;
/** Until its leases expire, no process works on its shards. */
const LEASES_END_MS = 6000;

/** Kills a process with SIGKILL, and restarts it a second later. */
export function killRole(role: Role): Fault {
  return {
    name: `kill-${role}`,
    lastsMs: 4000 + (role === 'router' || role === 'delivery' ? LEASES_END_MS : 0),
    duplicates: role === 'delivery' ? 'when_struck' : 'none',
    strikesWorker: role === 'delivery',
    async strike(arena) {
      const process = await chooseProcess(arena, role);
      await process.kill('SIGKILL');
      await delay(AWAY_MS);
      await process.restart();
    },
  };
}
