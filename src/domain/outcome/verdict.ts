import type { AttemptOutcome } from './delivery.ts';

/**
 * The next step of a delivery after an attempt (DL-6). `gone`: the receiver answered 410; the
 * endpoint is disabled and the delivery becomes a dead letter.
 */
export type Verdict =
  | { kind: 'delivered' }
  | { kind: 'retry'; delayMs: number }
  | { kind: 'dead'; reason: 'exhausted' | 'final_status' | 'too_old' }
  | { kind: 'gone' };

export interface RetryPolicy {
  /** Seconds to wait after attempt 1, 2, …; as many retries as there are entries. */
  delaysSeconds: readonly number[];
  /** Statuses that are not retried. */
  finalStatuses: readonly number[];
  /** The longest accepted `Retry-After`. */
  retryAfterMaxMs: number;
  /** Time after the first attempt when no more begin; absent: the schedule alone decides. */
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
 * The delay before the attempt that follows attempt `attemptNo` (from 1), in milliseconds;
 * `undefined` once the schedule is used up. Spread by -10 % to +10 %: 10,000 retries due at the
 * same instant would block a stream (measured), and would hit a recovering receiver with all of
 * them.
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

/** `Retry-After` is extended by up to this: thousands may have received the same second. */
const LATER = 0.1;

/**
 * Decides by the attempt's outcome.
 *
 * @param attemptNo counts from 1
 * @param random a number in [0, 1)
 * @param ageMs time from the start of the first attempt to this one
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
  // A receiver may request a longer delay; a shorter one does not shorten the schedule.
  const requestedMs =
    Math.min(outcome.retryAfterMs ?? 0, policy.retryAfterMaxMs) * (1 + random * LATER);
  const waitMs = Math.max(delayMs, Math.round(requestedMs));
  // Bounds other delays too: Retry-After, an open circuit, a rate limit.
  const isTooOld = ageMs + waitMs > (policy.maxAgeMs ?? Number.POSITIVE_INFINITY);
  return isTooOld ? { kind: 'dead', reason: 'too_old' } : { kind: 'retry', delayMs: waitMs };
}

/** A 401 for a cached access token says nothing about the next token: never final. */
function isFinal(policy: RetryPolicy, outcome: AttemptOutcome): boolean {
  if (outcome.ok || outcome.status === undefined) return false;
  return outcome.kind !== 'credentials_failed' && policy.finalStatuses.includes(outcome.status);
}
