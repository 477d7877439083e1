import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Principal } from '#domain/authorization.ts';
import type { RateLimit } from '#domain/endpoint/endpoint-policy.ts';
import type { PosthornError } from '#domain/errors.ts';
import { appliedLimits, rateLimited } from '#infra/rate-limits/applied-limits.ts';
import { limitRequest, setRateHeaders } from '#infra/rate-limits/limit-request.ts';
import type { AppliedLimit, RateLimits } from '#infra/rate-limits/rate-limits.ts';
import type { TenantSnapshot } from '#wire/config-snapshot.ts';

/** Counts the events of producers' requests against the rate limits of their key and tenant. */
export class RequestRates {
  private readonly rates: Pick<RateLimits, 'admit'>;
  private readonly limited = new WeakMap<FastifyRequest, AppliedLimit[]>();

  constructor(rates: Pick<RateLimits, 'admit'>) {
    this.rates = rates;
  }

  /**
   * Counts a request as one event, before its body is read.
   *
   * @param tenant undefined: it is not known yet, or the request is for every tenant
   * @throws PosthornError POSTHORN_RATE_LIMITED
   */
  countRequest(
    request: FastifyRequest,
    reply: FastifyReply,
    key: Pick<Principal, 'keyId'> & { rateLimit?: RateLimit | undefined },
    tenant: TenantSnapshot | undefined,
  ): void {
    const applied = appliedLimits('events', key.keyId, key.rateLimit, tenant);
    if (applied === undefined) return;
    limitRequest(this.rates, applied, reply);
    this.limited.set(request, applied);
  }

  /**
   * Counts the items of a batch after the first. Returns the number of items that are admitted,
   * from the first on, and the error for the others.
   */
  countItems(
    request: FastifyRequest,
    reply: FastifyReply,
    count: number,
  ): { admitted: number; refusal?: PosthornError } {
    const applied = this.limited.get(request);
    if (applied === undefined || count <= 1) return { admitted: count };
    const decision = this.rates.admit(applied, count - 1);
    setRateHeaders(decision, reply);
    const admitted = 1 + decision.admitted;
    return admitted === count ? { admitted } : { admitted, refusal: rateLimited(decision) };
  }
}
