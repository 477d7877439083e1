import type { Strike } from './fault.ts';
import type { Duplicate } from './ledger.ts';

/**
 * Longest time from the response of a webhook to the acknowledgement of its delivery in the broker:
 * 20 ms of batching, two writes, and the delay of a busy machine.
 */
const SETTLE_MS = 2000;
/**
 * Longest time from the end of a fault until leaders are elected, leases acquired and lost pulls
 * repeated.
 */
const RECOVERY_MS = 15_000;

/**
 * Finds the fault that explains a duplicate: a webhook may be repeated if it was answered but not
 * yet settled when a fault struck.
 *
 * @returns the name of the fault, or undefined if none explains it
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

/** Counts the duplicates that each fault explains; `unexplained` counts the others. */
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
