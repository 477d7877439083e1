import type { System } from '../kit/system.ts';
import type { Zone } from '../kit/zone.ts';
import type { ClockFile } from './clock-file.ts';
import type { Census } from './census.ts';
import type { Ledger } from './ledger.ts';

/** What a fault may reach for. */
export interface Arena {
  system: System;
  ledger: Ledger;
  census: Census;
  /** Those whose events are published during the fault. */
  tenants: readonly string[];
  /** Of them the one whose endpoint is ordered: its events are published one after the other. */
  ordered: string;
  random: () => number;
  /** How many the load publishes in all. */
  events: number;
  /** The part of the network that can be cut off. */
  zone: Zone | undefined;
  /** The clock of all processes of the system. */
  clock: ClockFile | undefined;
  /** What struck, and when: `strikeFault` keeps it. */
  strikes: Strike[];
  /** What a fault found that must not be. */
  findings: string[];
}

export interface Strike {
  fault: string;
  duplicates: Fault['duplicates'];
  /** Monotonic milliseconds. */
  beganMs: number;
  /** When all that was struck ran again. */
  endedMs: number;
}

export interface Fault {
  name: string;
  /** About how long `strike` takes; the load goes on a little longer. */
  lastsMs: number;
  /**
   * Which webhooks may come twice: none; those that were sent and not settled when the fault struck; or
   * those that were so at any time while it lasted and the system recovered.
   */
  duplicates: 'none' | 'when_struck' | 'while_it_lasts';
  /** It strikes the worker that owns shard 0: how long that shard's tenants waited is a figure. */
  strikesWorker?: boolean;
  /** Why it cannot be done here; absent where it can be done everywhere. */
  needs?(arena: Pick<Arena, 'system' | 'zone' | 'clock'>): string | undefined;
  /** Does the fault, and what an orchestrator does after it: start again what has ended. */
  strike(arena: Arena): Promise<void>;
}

/** Strikes, and notes when. */
export async function strikeFault(fault: Fault, arena: Arena): Promise<void> {
  const { name, duplicates } = fault;
  const beganMs = performance.now();
  const strike = { fault: name, duplicates, beganMs, endedMs: Number.POSITIVE_INFINITY };
  arena.strikes.push(strike);
  await fault.strike(arena);
  strike.endedMs = performance.now();
}
