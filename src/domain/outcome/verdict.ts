import type { AttemptOutcome } from './delivery.ts';

/**
 * What is done with a delivery after an attempt (DL-6).
 * `gone`: the receiver said 410; the endpoint is disabled and the delivery becomes a dead letter.
 */
export type Verdict =
  | { kind: 'delivered' }
  | { kind: 'retry'; delayMs: number }
  | { kind: 'dead'; reason: 'exhausted' | 'final_status' | 'too_old' }
  | { kind: 'gone' };

export interface RetryPolicy {
  /** Seconds to wait after attempt 1, 2, …; as many retries as there are entries. */
  delaysSeconds: readonly number[];
  /** Statuses that are not tried again. */
  finalStatuses: readonly number[];
  /** The longest `Retry-After` that is obeyed. */
  retryAfterMaxMs: number;
  /** After the first attempt none begins later than this; absent: the schedule alone decides. */
  maxAgeMs?: number;
}

const HOUR = 3600;

/** 1, 5, 25, 125, 625 s, then longer steps: about 3 days in all (DL-5). */
export const defaultRetryPolicy: RetryPolicy = {
  delaysSeconds: [1, 5, 25, 125, 625, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, 24 * HOUR, 24 * HOUR],
  finalStatuses: [],
  retryAfterMaxMs: 24 * HOUR * 1000,
  maxAgeMs: 30 * 24 * HOUR * 1000,
};

/**
 * The delay before the attempt that follows attempt `attemptNo` (from 1), in milliseconds, or `undefined`
 * when the schedule is used up. Spread by -10 % to +10 %: 10,000 retries due at the same instant would
 * hold up a stream (measured), and would hit a receiver that just came back all at once.
 *
 * @param random a number in [0, 1)
 */
export function retryDelayMs(
  policy: RetryPolicy,
  attemptNo: number,
  random: number,
): number | undefined {
  const seconds = policy.delaysSeconds[attemptNo - 1];
  return seconds === undefined ? undefined : Math.round(seconds * 1000 * (0.9 + random * 0.2));
}

/** A `Retry-After` is spread by up to this much, and only to later: thousands may have been told the same second. */
const LATER = 0.1;

/**
 * Decides by the attempt's outcome.
 *
 * @param attemptNo counts from 1
 * @param random a number in [0, 1)
 * @param ageMs how long before this attempt the first one began
 */
export function judge(
  policy: RetryPolicy,
  attemptNo: number,
  outcome: AttemptOutcome,
  random: number,
  ageMs = 0,
): Verdict {
  if (outcome.ok) return { kind: 'delivered' };
  if (outcome.status === 410) return { kind: 'gone' };
  if (isFinal(policy, outcome)) return { kind: 'dead', reason: 'final_status' };
  const delayMs = retryDelayMs(policy, attemptNo, random);
  if (delayMs === undefined) return { kind: 'dead', reason: 'exhausted' };
  // A receiver that asks for more time gets it; one that asks for less does not shorten our schedule.
  const asked = Math.min(outcome.retryAfterMs ?? 0, policy.retryAfterMaxMs) * (1 + random * LATER);
  const waitMs = Math.max(delayMs, Math.round(asked));
  // What keeps a delivery waiting beside its schedule (Retry-After, an open circuit, a rate) has an end too.
  const isTooOld = ageMs + waitMs > (policy.maxAgeMs ?? Number.POSITIVE_INFINITY);
  return isTooOld ? { kind: 'dead', reason: 'too_old' } : { kind: 'retry', delayMs: waitMs };
}

/** A 401 for an access token that had been kept says nothing of the next one: never final. */
function isFinal(policy: RetryPolicy, outcome: AttemptOutcome): boolean {
  if (outcome.ok || outcome.status === undefined) return false;
  return outcome.kind !== 'credentials_failed' && policy.finalStatuses.includes(outcome.status);
}
