import { Registry } from 'prom-client';
import { systemClock } from '#infra/system-clock.ts';
import { RateLimits } from '#infra/rate-limits/rate-limits.ts';
import type { Clock } from '#domain/clock.ts';

/** The rate limits of a process without others. */
export function rateLimitsAlone(clock: Clock = systemClock): RateLimits {
  const shares = {
    version: 0,
    joinedMs: undefined,
    demandsOf: () => ({ processes: 1, own: undefined, others: undefined }),
    announce: () => undefined,
  };
  return new RateLimits({ shares, registry: new Registry(), clock });
}
