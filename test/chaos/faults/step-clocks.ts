import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from '../fault.ts';

const MINUTE_MS = 60_000;
/** Offsets from the true time, applied one after the other. */
const OFFSETS_MS = [2 * MINUTE_MS, -2 * MINUTE_MS, 180 * MINUTE_MS, -180 * MINUTE_MS, 0];
const EACH_MS = 2500;

/**
 * The wall clock of every process jumps forward and back by minutes and hours, while some attempts
 * fail and are scheduled for a retry. No lease may be lost, and no retry may be hours late.
 */
export const stepClocks: Fault = {
  name: 'clock-steps',
  lastsMs: OFFSETS_MS.length * EACH_MS,
  duplicates: 'none',
  needs: ({ clock }) =>
    clock === undefined ? 'processes with a clock that can be set' : undefined,
  async strike({ system, clock, census, ledger, tenants, random, findings }) {
    const ownersBefore = await census.owners();
    for (const tenant of tenants.slice(0, 3)) {
      ledger.misbehave(tenant, () => ({ status: random() < 0.3 ? 500 : 200 }));
    }
    for (const offsetMs of OFFSETS_MS) {
      await clock?.step(system, offsetMs);
      await delay(EACH_MS);
    }
    ledger.behave();
    const owners = await census.owners();
    if (owners.join() !== ownersBefore.join()) {
      findings.push(`shards were taken over: owners ${ownersBefore.join()}, then ${owners.join()}`);
    }
  },
};
