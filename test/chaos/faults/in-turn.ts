import type { Fault } from '../fault.ts';

/** Several faults under one load, one after the other. */
export function inTurn(name: string, faults: readonly Fault[]): Fault {
  return {
    name,
    lastsMs: faults.reduce((sum, fault) => sum + fault.lastsMs, 0),
    duplicates: faults.some((fault) => fault.duplicates === 'in_flight') ? 'in_flight' : 'none',
    async strike(arena) {
      for (const fault of faults) await fault.strike(arena);
    },
  };
}
