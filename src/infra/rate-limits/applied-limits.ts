import type { RateLimit } from '#domain/endpoint/endpoint-policy.ts';
import { PosthornError } from '#domain/errors.ts';
import { lifeIdOf } from '#domain/tenant.ts';
import type { TenantSnapshot } from '#wire/config-snapshot.ts';
import { type RateDoor, rateSubjects } from '../nats/stores/rate-share-store.ts';
import type { AppliedLimit, RateDecision } from './rate-limits.ts';

/**
 * The limits that a request counts against; undefined if it has none. A tenant's limit holds for
 * its events and for its requests to the API separately, so that a tenant that polls the API does
 * not delay its producer.
 *
 * @param keyId the key of the request; undefined: it is not known
 * @param ofKey the limit of the key
 * @param tenant of the events, or of the key that is used
 */
export function appliedLimits(
  door: RateDoor,
  keyId: string | undefined,
  ofKey: RateLimit | undefined,
  tenant: Pick<TenantSnapshot, 'id' | 'life' | 'rateLimit'> | undefined,
): AppliedLimit[] | undefined {
  const ofTenant = tenant?.rateLimit;
  if (ofKey === undefined && ofTenant === undefined) return undefined;
  const applied: AppliedLimit[] = [];
  if (keyId !== undefined && ofKey !== undefined) {
    applied.push({ policy: 'key', subject: rateSubjects.key(keyId), limit: ofKey });
  }
  if (tenant !== undefined && ofTenant !== undefined) {
    const subject = rateSubjects.tenant(door, lifeIdOf(tenant));
    applied.push({ policy: 'tenant', subject, limit: ofTenant });
  }
  return applied;
}

/** The error for events or requests that a limit refused. */
export function rateLimited({ refusedBy, retryAfterSeconds = 1 }: RateDecision): PosthornError {
  if (refusedBy === undefined) {
    return new PosthornError('POSTHORN_RATE_LIMITED', { retryAfterSeconds });
  }
  const { perSecond, burst } = refusedBy.limit;
  const whose = refusedBy.policy === 'key' ? 'the API key' : 'the tenant';
  const detail = `the rate limit of ${whose} is reached: ${perSecond} per second, bursts of ${burst}`;
  return new PosthornError('POSTHORN_RATE_LIMITED', { detail, retryAfterSeconds });
}
