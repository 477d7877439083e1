import { type Fault, strikeFault } from '../fault.ts';

/** Several faults under one load, one after the other. */
export function inTurn(name: string, faults: readonly Fault[]): Fault {
  return {
    name,
    lastsMs: faults.reduce((sum, fault) => sum + fault.lastsMs, 0),
    // Each explains its own.
    duplicates: 'none',
    async strike(arena) {
      for (const fault of faults) await strikeFault(fault, arena);
    },
  };
}
