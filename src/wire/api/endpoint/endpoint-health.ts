/** The health of an endpoint in the API. */
import { type Static, Type } from 'typebox';
import { named } from '#wire/openapi/describe.ts';
import { attemptFailure } from '../delivery.ts';
import { nullable, timestamp } from '../fields.ts';

export const disableAfterSeconds = Type.Integer({
  minimum: 60,
  maximum: 365 * 24 * 3600,
  description:
    'After only failures for so long it is disabled. Null: POSTHORN_ENDPOINT_DISABLE_AFTER_SECONDS.',
  examples: [432000],
});

export const endpointFailure = named(
  'EndpointFailure',
  Type.Object({
    at: timestamp('When that attempt began'),
    failure: nullable(attemptFailure),
    response_status: nullable(Type.Integer({ description: 'HTTP status.', examples: [503] })),
    detail: nullable(
      Type.String({
        description: 'The failure in words.',
        examples: ['the receiver answered 503'],
      }),
    ),
  }),
  { description: 'The last attempt that failed.' },
);

export const endpointHealth = named(
  'EndpointHealth',
  Type.Object(
    {
      state: named(
        'EndpointHealthState',
        Type.Enum(['healthy', 'failing', 'unknown'] as const, {
          description:
            '`failing`: every attempt since `failing_since` failed; `unknown`: there was none.',
        }),
      ),
      failing_since: nullable(timestamp('The first of the failures')),
      disables_at: nullable(timestamp('A failure at this time or later disables it')),
      last_success_at: nullable(timestamp('The last success; to within 10 s while all is well')),
      last_failure: nullable(endpointFailure),
      held_deliveries: Type.Integer({
        description: 'Deliveries that wait for it to be active, counted up to 100,000.',
        examples: [0],
      }),
    },
    { description: 'How its attempts went.' },
  ),
);
export type EndpointHealth = Static<typeof endpointHealth>;
