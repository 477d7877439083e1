import { type FieldError, PosthornError } from '../errors.ts';
import { childPointer } from '../json-pointer.ts';
import { limits } from '../limits.ts';

const DAY_SECONDS = 24 * 3600;

/** Bounds for the policies of endpoints and tenants (DL-5, DL-8, DL-9). */
export const policyBounds = {
  retriesMax: 50,
  retryDelaySeconds: { minimum: 1, maximum: 7 * DAY_SECONDS },
  retryDelaysSumSecondsMax: 30 * DAY_SECONDS,
  finalStatus: { minimum: 400, maximum: 599 },
  retryAfterMaxSeconds: { minimum: 0, maximum: 7 * DAY_SECONDS },
  retryMaxAgeSeconds: { minimum: 1, maximum: 30 * DAY_SECONDS },
  timeoutMs: { minimum: 100, maximum: 60_000 },
  endpointInFlight: { minimum: 1, maximum: 1024 },
  tenantInFlight: { minimum: 1, maximum: 8192 },
  ratePerSecond: { minimum: 0.01, maximum: 10_000 },
  payloadInlineMaxBytes: { minimum: 1024, maximum: limits.eventBytesMax },
  rateBurst: { minimum: 1, maximum: 10_000 },
} as const;

/** The rate limit of an endpoint: a token bucket. */
export interface RateLimit {
  /** Requests a second, 0.01 to 10,000. */
  perSecond: number;
  /** Requests that may be sent in a burst after a pause, 1 to 10,000. */
  burst: number;
}

/**
 * A tenth of a second's worth, so that a limit of 1/s sends one a second and never two together.
 */
export function defaultBurst(perSecond: number): number {
  return Math.max(1, Math.floor(perSecond / 10));
}

/**
 * Checks the parts of a retry schedule that its JSON Schema does not cover: no delay is shorter
 * than the one before, and their sum is within bounds.
 *
 * @param pointer JSON pointer of the list
 * @throws PosthornError POSTHORN_REQUEST_INVALID
 */
export function checkRetryDelays(delaysSeconds: readonly number[], pointer: string): void {
  const fields: FieldError[] = [];
  delaysSeconds.forEach((seconds, index) => {
    const before = delaysSeconds[index - 1];
    if (before === undefined || seconds >= before) return;
    const detail = `must not be less than the delay before it (${before})`;
    fields.push({ pointer: childPointer(pointer, index), detail });
  });
  const sum = delaysSeconds.reduce((total, seconds) => total + seconds, 0);
  if (sum > policyBounds.retryDelaysSumSecondsMax) {
    const most = policyBounds.retryDelaysSumSecondsMax;
    fields.push({ pointer, detail: `must add up to at most ${most} s (30 days), not ${sum} s` });
  }
  if (fields.length === 0) return;
  const detail = fields.map((field) => `${field.pointer} ${field.detail}`).join('; ');
  throw new PosthornError('POSTHORN_REQUEST_INVALID', { detail, fields });
}

/** How deliveries to an endpoint that is polled are leased (DL-19). */
export interface PollPolicy {
  /** Of a poll that names no other time. */
  leaseSeconds: number;
  /** Expired leases after which a delivery becomes a dead letter. */
  leasesMax: number;
  /** Time in the queue after which a delivery becomes a dead letter. */
  maxAgeSeconds: number;
}

export const pollDefaults: PollPolicy = {
  leaseSeconds: 30,
  leasesMax: 10,
  maxAgeSeconds: 7 * 24 * 3600,
};
