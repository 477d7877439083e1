import { waitUntil } from '../../kit/wait-until.ts';
import { type Fault, strikeFault } from '../fault.ts';

/** Several faults under one load, each when webhooks come again after the one before. */
export function inTurn(name: string, faults: readonly Fault[]): Fault {
  return {
    name,
    lastsMs: faults.reduce((sum, fault) => sum + fault.lastsMs, 0),
    // Each explains its own.
    duplicates: 'none',
    async strike(arena) {
      for (const fault of faults) {
        await strikeFault(fault, arena);
        const { ledger } = arena;
        const { received } = ledger;
        // On a slow machine the load may be over before the last of them strikes.
        const isOver = () => ledger.accepted === arena.events && ledger.missing().length === 0;
        await waitUntil(() => ledger.received > received || isOver(), {
          what: `a webhook after ${fault.name}`,
          deadlineMs: 60_000,
        });
      }
    },
  };
}
