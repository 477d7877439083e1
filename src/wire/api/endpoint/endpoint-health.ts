/** Schemas of an endpoint's health. */
import { type Static, Type } from 'typebox';
import { named } from '#wire/openapi/describe.ts';
import { attemptFailure } from '../delivery.ts';
import { nullable, timestamp } from '../fields.ts';

export const disableAfterSeconds = Type.Integer({
  minimum: 60,
  maximum: 365 * 24 * 3600,
  description:
    'Seconds of failing without a success after which the endpoint is disabled. Null: POSTHORN_ENDPOINT_DISABLE_AFTER_SECONDS.',
  examples: [432000],
});

export const endpointFailure = named(
  'EndpointFailure',
  Type.Object({
    started_at: timestamp('When the attempt began'),
    failure: nullable(attemptFailure),
    response_status: nullable(
      Type.Integer({
        description: 'HTTP status of the response; null if there was no response.',
        examples: [503],
      }),
    ),
    detail: nullable(
      Type.String({
        description: 'The failure in words.',
        examples: ['the receiver answered 503'],
      }),
    ),
  }),
  { description: 'The last failed attempt.' },
);

export const endpointHealth = named(
  'EndpointHealth',
  Type.Object(
    {
      status: named(
        'EndpointHealthStatus',
        Type.Enum(['healthy', 'failing', 'unknown'] as const, {
          description:
            '`healthy`: attempts succeed. `failing`: every attempt since `failing_since` failed. `unknown`: there was no attempt yet.',
        }),
      ),
      failing_since: nullable(timestamp('The first failure after the last success')),
      disables_at: nullable(timestamp('A failure at this time or later disables the endpoint')),
      last_success_at: nullable(
        timestamp('The last success, with a precision of 10 s while the endpoint is healthy'),
      ),
      last_failure: nullable(endpointFailure),
      held_count: Type.Integer({
        description:
          'Number of deliveries that are held until the endpoint is active, counted up to 100,000.',
        examples: [0],
      }),
    },
    { description: 'Health of the endpoint, from the results of its attempts.' },
  ),
);
export type EndpointHealth = Static<typeof endpointHealth>;
