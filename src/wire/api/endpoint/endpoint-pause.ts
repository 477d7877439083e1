/** Schemas of the pause of an endpoint. */
import { type Static, Type } from 'typebox';
import { limits } from '#domain/limits.ts';
import { named } from '#wire/openapi/describe.ts';
import { nullable, strict, timestamp } from '../fields.ts';

const reason = Type.String({
  minLength: 1,
  maxLength: limits.pauseReasonLengthMax,
  description: 'Why the endpoint is paused, for people.',
  examples: ['Maintenance of the shop'],
});
const endsAt = timestamp('When the endpoint resumes by itself; null: never');

export const newPause = named(
  'NewPause',
  Type.Object(
    {
      reason: Type.Optional(nullable(reason)),
      ends_at: Type.Optional(nullable(endsAt)),
    },
    strict,
  ),
  {
    description: 'The reason and the end of a pause.',
    examples: [{ reason: 'Maintenance of the shop', ends_at: '2026-01-31T12:00:00.000Z' }],
  },
);
export type NewPause = Static<typeof newPause>;

export const endpointPause = named(
  'EndpointPause',
  Type.Object({
    reason: nullable(reason),
    paused_at: timestamp('When the endpoint was paused'),
    ends_at: nullable(endsAt),
  }),
  { description: 'The pause of an endpoint.' },
);
export type EndpointPause = Static<typeof endpointPause>;
