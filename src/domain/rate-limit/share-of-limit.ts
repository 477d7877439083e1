/**
 * Divides a rate limit between processes (IN-8). Every process computes its share alone, from the
 * number of processes and the demands that they have announced:
 *
 * - A single process has the whole limit.
 * - Without announced demands the shares are equal.
 * - Processes with an announced demand divide the whole limit in proportion to it. The others keep
 *   `IDLE_RATE` of an equal share, and tokens for at most a second of an equal share.
 *
 * The shares add up to at most 1.05 limits. Over 10 s the idle tokens add one second of the limit,
 * and changes of shares on their way up to 1.4 s: together less than 1.25 limits and the burst
 * (`test/property/rate-limit/shares.test.ts`).
 */
import type { RateLimit } from '../endpoint/endpoint-policy.ts';

/** The rate of a process without announced demand, relative to an equal share. */
const IDLE_RATE = 0.05;

/** The demands of all processes for one limit, in requests a second. */
export interface Demands {
  /** Number of processes, this one included; at least 1. */
  processes: number;
  /** The demand that this process has announced; undefined: none. */
  own: number | undefined;
  /** Sum of the demands that the other processes have announced; undefined: none has. */
  others: number | undefined;
}

/** The limit of this process alone. Its burst may be a fraction. */
export function shareOfLimit(limit: RateLimit, { processes, own, others }: Demands): RateLimit {
  const { perSecond, burst } = limit;
  if (processes <= 1) return limit;
  const equal = { perSecond: perSecond / processes, burst: burst / processes };
  if (own === undefined && others === undefined) return equal;
  const idleRate = equal.perSecond * IDLE_RATE;
  if (own === undefined) {
    return { perSecond: idleRate, burst: Math.min(equal.burst, equal.perSecond) };
  }
  const share = own / Math.max(own + (others ?? 0), Number.MIN_VALUE);
  return { perSecond: Math.max(share * perSecond, idleRate), burst: share * burst };
}

/**
 * The demand that a process announces for a limit; undefined below half of an equal share, so that
 * limits with little traffic cost no messages. Demand beyond the whole limit does not count.
 */
export function announcedDemand(
  { perSecond }: RateLimit,
  demandPerSecond: number,
  processes: number,
): number | undefined {
  if (processes <= 1 || demandPerSecond <= perSecond / processes / 2) return undefined;
  return Math.min(demandPerSecond, perSecond);
}
