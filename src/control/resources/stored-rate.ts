import type { Static } from 'typebox';
import { defaultBurst, type RateLimit } from '#domain/endpoint/endpoint-policy.ts';
import type { rateLimit, rateLimitSettings } from '#wire/api/endpoint/rate-limit.ts';

export type StoredRate = Static<typeof rateLimit>;

/** A burst that was derived from the previous rate is derived from the new rate too. */
export function storedRate(
  rate: Static<typeof rateLimitSettings>,
  known: StoredRate | null | undefined,
): StoredRate {
  const chosen = known && known.burst !== defaultBurst(known.per_second) ? known.burst : undefined;
  const { per_second } = rate;
  return { per_second, burst: rate.burst ?? chosen ?? defaultBurst(per_second) };
}

/** A stored limit for the data plane; undefined: none. */
export function rateSnapshot(rate: StoredRate | null | undefined): RateLimit | undefined {
  return rate ? { perSecond: rate.per_second, burst: rate.burst } : undefined;
}
