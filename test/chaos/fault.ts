import type { System } from '#testkit/system.ts';
import type { Zone } from '../kit/network/zone.ts';
import type { ClockFile } from './clock-file.ts';
import type { Census } from './census.ts';
import type { Ledger } from './ledger.ts';

/** The parts of the system that a fault may use. */
export interface Arena {
  system: System;
  ledger: Ledger;
  census: Census;
  /** Tenants whose events are published during the fault. */
  tenants: readonly string[];
  /** The tenant whose endpoint is ordered: its events are published one after the other. */
  ordered: string;
  random: () => number;
  /** Number of events that the load publishes. */
  events: number;
  /** The part of the network that can be cut off. */
  zone: Zone | undefined;
  /** The clock of all processes of the system. */
  clock: ClockFile | undefined;
  /** The faults that struck, with their times; `strikeFault` adds them. */
  strikes: Strike[];
  /** Errors that a fault found. */
  findings: string[];
}

export interface Strike {
  fault: string;
  duplicates: Fault['duplicates'];
  /** Monotonic milliseconds. */
  beganMs: number;
  /** When all affected processes ran again. */
  endedMs: number;
}

export interface Fault {
  name: string;
  /** Approximate duration of `strike`; the load continues a little longer. */
  lastsMs: number;
  /**
   * Webhooks that may be repeated: none; those in flight when the fault struck; or those in flight
   * at any time during the fault and the recovery.
   */
  duplicates: 'none' | 'when_struck' | 'while_it_lasts';
  /**
   * The fault strikes the worker that owns shard 0: the longest wait of that shard's tenants is
   * reported.
   */
  strikesWorker?: boolean;
  /** The reason why the fault cannot run here; undefined if it can. */
  needs?(arena: Pick<Arena, 'system' | 'zone' | 'clock'>): string | undefined;
  /** Causes the fault, then acts as an orchestrator: restarts processes that have ended. */
  strike(arena: Arena): Promise<void>;
}

/** Strikes, and records the time. */
export async function strikeFault(fault: Fault, arena: Arena): Promise<void> {
  const { name, duplicates } = fault;
  const beganMs = performance.now();
  const strike = { fault: name, duplicates, beganMs, endedMs: Number.POSITIVE_INFINITY };
  arena.strikes.push(strike);
  await fault.strike(arena);
  strike.endedMs = performance.now();
}
