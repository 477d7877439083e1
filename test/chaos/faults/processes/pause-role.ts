import { setTimeout as delay } from 'node:timers/promises';
import type { Role } from '#config/schema.ts';
import type { Fault } from '../../fault.ts';
import { chooseProcess } from './choose-process.ts';

const PAUSE_MS = 8000;

/** Stops a process with SIGSTOP for 8 s, twice as long as a worker's lease, and then resumes it. */
export function pauseRole(role: Role): Fault {
  return {
    name: `pause-${role}`,
    lastsMs: PAUSE_MS,
    duplicates: role === 'delivery' ? 'while_it_lasts' : 'none',
    strikesWorker: role === 'delivery',
    async strike(arena) {
      const process = await chooseProcess(arena, role);
      await process.kill('SIGSTOP');
      await delay(PAUSE_MS);
      await process.kill('SIGCONT');
    },
  };
}
