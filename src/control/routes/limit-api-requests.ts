import type { FastifyInstance } from 'fastify';
import { appliedLimits } from '#infra/rate-limits/applied-limits.ts';
import { limitRequest } from '#infra/rate-limits/limit-request.ts';
import type { RateLimits } from '#infra/rate-limits/rate-limits.ts';
import type { ConfigView } from '#wire/config-snapshot.ts';
import { principalOf } from './access.ts';

/**
 * Counts each request of a scope against the rate limits of its key (IN-8), and of the tenant that
 * the key is bound to. Call it after `requireAccess`. A platform key does not count against the
 * tenant of the route: a tenant at its limit must not keep operators out.
 */
export function limitApiRequests(
  scope: FastifyInstance,
  rates: Pick<RateLimits, 'admit'>,
  config: Pick<ConfigView, 'currentTenant'>,
): void {
  scope.addHook('onRequest', (request, reply, done) => {
    const principal = principalOf(request);
    const tenant =
      principal.tenant === undefined ? undefined : config.currentTenant(principal.tenant);
    const applied = appliedLimits('api', principal.keyId, principal.rateLimit, tenant);
    try {
      if (applied !== undefined) limitRequest(rates, applied, reply);
      done();
    } catch (error) {
      done(error as Error);
    }
  });
}
