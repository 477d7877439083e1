import { waitUntil } from '#testkit/wait-until.ts';
import { type Fault, strikeFault } from '../fault.ts';

/** Runs several faults under one load, each after webhooks have resumed. */
export function inTurn(name: string, faults: readonly Fault[]): Fault {
  return {
    name,
    lastsMs: faults.reduce((sum, fault) => sum + fault.lastsMs, 0),
    // Each fault explains its own duplicates.
    duplicates: 'none',
    async strike(arena) {
      for (const fault of faults) {
        await strikeFault(fault, arena);
        const { ledger } = arena;
        const { received } = ledger;
        // On a slow machine the load may end before the last fault strikes.
        const isOver = () => ledger.accepted === arena.events && ledger.missing().length === 0;
        await waitUntil(() => ledger.received > received || isOver(), {
          what: `a webhook after ${fault.name}`,
          deadlineMs: 60_000,
        });
      }
    },
  };
}
