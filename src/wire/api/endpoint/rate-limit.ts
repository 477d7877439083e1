/** Schemas of rate limits: of endpoints, tenants and API keys. */
import { Type } from 'typebox';
import { policyBounds } from '#domain/endpoint/endpoint-policy.ts';
import { named } from '#wire/openapi/describe.ts';
import { strict } from '../fields.ts';

const rateFields = {
  per_second: Type.Number({
    ...policyBounds.ratePerSecond,
    description: 'Requests in each second.',
    examples: [10],
  }),
  burst: Type.Integer({
    ...policyBounds.rateBurst,
    description:
      'Number of requests that may be sent in a burst after an idle time. Absent: unchanged, or a tenth of `per_second` if it was never set.',
    examples: [5],
  }),
};

/** As requests send it. */
export const rateLimitSettings = named(
  'RateLimitSettings',
  Type.Object(
    { per_second: rateFields.per_second, burst: Type.Optional(rateFields.burst) },
    strict,
  ),
  { description: 'Limits the rate of requests with a token bucket.' },
);

/** As answers show it. */
export const rateLimit = named(
  'RateLimit',
  Type.Object(rateFields, { description: 'Limits the rate of requests with a token bucket.' }),
);
