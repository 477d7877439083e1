import type { Clock } from '#domain/clock.ts';
import { limits } from '#domain/limits.ts';
import { addressGroup } from './address-group.ts';

const MINUTE_MS = 60_000;

/**
 * Counts wrong keys by the address of their sender: a generic cell rate algorithm with a burst of
 * one minute's allowance. Each process counts for itself.
 *
 * Bound: `limits.wrongKeyAddressesMax` addresses, an IPv6 network as one. The address that failed
 * least recently is forgotten first.
 */
export class WrongKeys {
  private readonly intervalMs: number;
  private readonly clock: Pick<Clock, 'monotonicMs'>;
  /** By address: the theoretical arrival time of its next wrong key. */
  private readonly arrivals = new Map<string, number>();

  constructor(deps: { perMinute: number; clock: Pick<Clock, 'monotonicMs'> }) {
    this.intervalMs = MINUTE_MS / deps.perMinute;
    this.clock = deps.clock;
  }

  /** Returns the milliseconds until the address may try another key; 0: now. */
  waitMs(address: string): number {
    // The common case, for which the address is not parsed.
    if (this.arrivals.size === 0) return 0;
    const arrival = this.arrivals.get(addressGroup(address));
    if (arrival === undefined) return 0;
    return Math.max(0, arrival + this.intervalMs - this.clock.monotonicMs() - MINUTE_MS);
  }

  record(address: string): void {
    const group = addressGroup(address);
    const now = this.clock.monotonicMs();
    const arrival = Math.max(this.arrivals.get(group) ?? 0, now) + this.intervalMs;
    this.arrivals.delete(group);
    this.arrivals.set(group, arrival);
    const [oldest] = this.arrivals.keys();
    if (this.arrivals.size > limits.wrongKeyAddressesMax) this.arrivals.delete(oldest as string);
  }
}
