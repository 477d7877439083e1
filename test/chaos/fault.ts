import type { System } from '#testkit/system.ts';
import type { Census } from './census.ts';
import type { Ledger } from './ledger.ts';

/** What a fault may reach for. */
export interface Arena {
  system: System;
  ledger: Ledger;
  census: Census;
  /** Those whose events are published during the fault. */
  tenants: readonly string[];
  random: () => number;
}

export interface Fault {
  name: string;
  /** About how long `strike` takes; the load goes on a little longer. */
  lastsMs: number;
  /**
   * Which webhooks may come twice: none, or those that were sent and not settled when the fault struck,
   * which are a fraction of the events.
   */
  duplicates: 'none' | 'in_flight';
  /** Does the fault, and what an orchestrator does after it: start again what has ended. */
  strike(arena: Arena): Promise<void>;
}
