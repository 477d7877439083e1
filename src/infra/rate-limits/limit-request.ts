import type { FastifyReply } from 'fastify';
import { rateLimited } from './applied-limits.ts';
import type { AppliedLimit, RateDecision, RateLimits } from './rate-limits.ts';

/**
 * Counts an HTTP request against its limits, and sets the headers of its answer.
 *
 * @throws PosthornError POSTHORN_RATE_LIMITED
 */
export function limitRequest(
  rates: Pick<RateLimits, 'admit'>,
  applied: readonly AppliedLimit[],
  reply: FastifyReply,
): void {
  const decision = rates.admit(applied, 1);
  setRateHeaders(decision, reply);
  if (decision.admitted === 0) throw rateLimited(decision);
}

export function setRateHeaders(
  { policyHeader, limitHeader }: RateDecision,
  reply: FastifyReply,
): void {
  reply.header('ratelimit-policy', policyHeader).header('ratelimit', limitHeader);
}
