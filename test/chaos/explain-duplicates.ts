import type { Strike } from './fault.ts';
import type { Duplicate } from './ledger.ts';

/**
 * From a webhook's answer to the acknowledgement of its delivery in the broker: 20 ms of gathering, two writes
 * to it, and what a busy machine adds.
 */
const SETTLE_MS = 2000;
/** From the end of a fault until leaders are elected, leases held and lost pulls made again. */
const RECOVERY_MS = 15_000;

/**
 * A webhook may come twice where it was answered and not yet settled as a fault struck: such a strike explains
 * it.
 *
 * @returns the name of the fault, or undefined where none explains it
 */
export function explainDuplicate(
  { firstMs }: Pick<Duplicate, 'firstMs'>,
  strikes: readonly Strike[],
): string | undefined {
  return strikes.find(({ duplicates, beganMs, endedMs }) => {
    if (duplicates === 'none' || firstMs < beganMs - SETTLE_MS) return false;
    const endMs = duplicates === 'when_struck' ? beganMs + SETTLE_MS : endedMs + RECOVERY_MS;
    return firstMs <= endMs;
  })?.fault;
}

/** How many of the duplicates each fault explains; `unexplained` where none does. */
export function countByFault(
  duplicates: readonly Duplicate[],
  strikes: readonly Strike[],
): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const duplicate of duplicates) {
    const fault = explainDuplicate(duplicate, strikes) ?? 'unexplained';
    counts[fault] = (counts[fault] ?? 0) + 1;
  }
  return counts;
}
