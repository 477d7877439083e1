/**
 * Measures the cost of rate limits for each request: `node bench/rate-limit-cost.ts`. Prints
 * microseconds for each request without a limit, with the limits of a key and its tenant, and with
 * as many busy keys as a process keeps.
 */
import { Registry } from 'prom-client';
import type { RateLimit } from '#domain/endpoint/endpoint-policy.ts';
import { limits } from '#domain/limits.ts';
import { systemClock } from '#infra/system-clock.ts';
import { appliedLimits } from '#infra/rate-limits/applied-limits.ts';
import { RateLimits } from '#infra/rate-limits/rate-limits.ts';

const REQUESTS = 1_000_000;
const PROCESSES = 8;

const shares = {
  version: 0,
  joinedMs: undefined,
  demandsOf: () => ({ processes: PROCESSES, own: 100, others: 900 }),
  announce: () => undefined,
};

/** Microseconds for each request, the median of five runs. */
function measure(keys: number, keyLimit?: RateLimit, tenantLimit?: RateLimit): number {
  const rates = new RateLimits({ shares, registry: new Registry(), clock: systemClock });
  const ids = Array.from({ length: keys }, (_, at) => `key_${at}`);
  const tenant = { id: 'acme', ...(tenantLimit && { rateLimit: tenantLimit }) };
  const runs = Array.from({ length: 5 }, () => {
    const startedMs = performance.now();
    for (let i = 0; i < REQUESTS; i++) {
      const applied = appliedLimits('events', ids[i % keys], keyLimit, tenant);
      if (applied !== undefined) rates.admit(applied, 1);
    }
    return ((performance.now() - startedMs) * 1000) / REQUESTS;
  });
  return runs.toSorted((a, b) => a - b)[2] as number;
}

const wide = { perSecond: 10_000, burst: 10_000 };
const narrow = { perSecond: 10, burst: 1 };
const cases: Readonly<Record<string, number>> = {
  'no limit': measure(1),
  'key and tenant': measure(1, wide, wide),
  'key and tenant, refused': measure(1, narrow, wide),
  [`${limits.rateLimitEntriesMax} keys`]: measure(limits.rateLimitEntriesMax, wide),
};
console.log('| case | µs for each request |\n| --- | --- |');
for (const [name, micros] of Object.entries(cases)) {
  console.log(`| ${name} | ${micros.toFixed(2)} |`);
}
