/** Schemas of endpoints that are polled (DL-19): the other kind of endpoint. */
import { type Static, Type } from 'typebox';
import { pollDefaults } from '#domain/endpoint/endpoint-policy.ts';
import { limits } from '#domain/limits.ts';
import { named } from '#wire/openapi/describe.ts';
import { strict } from '../fields.ts';

/** Distinguishes the kinds of endpoints. */
export const webhookKind = Type.Literal('webhook', {
  description: 'Webhooks are sent to its `url`.',
});
export const pollKind = Type.Literal('poll', {
  description: 'Its deliveries are fetched with `GET …/endpoints/{endpoint}/poll`.',
});

const fields = {
  lease_seconds: Type.Integer({
    minimum: 1,
    maximum: limits.leaseSecondsMax,
    description: `Duration of a lease if the poll names none. Default: ${pollDefaults.leaseSeconds}.`,
    examples: [30],
  }),
  leases_max: Type.Integer({
    minimum: 1,
    maximum: limits.attemptsMax,
    description: `Number of leases of a delivery. When the last one expires, it becomes a dead letter. Default: ${pollDefaults.leasesMax}.`,
    examples: [10],
  }),
  max_age_seconds: Type.Integer({
    minimum: 60,
    maximum: 30 * 24 * 3600,
    description: `Seconds in the queue after which a delivery becomes a dead letter. Default: ${pollDefaults.maxAgeSeconds}.`,
    examples: [604800],
  }),
};

/** As requests send it. */
export const pollSettings = named(
  'PollSettings',
  Type.Object(
    {
      lease_seconds: Type.Optional(fields.lease_seconds),
      leases_max: Type.Optional(fields.leases_max),
      max_age_seconds: Type.Optional(fields.max_age_seconds),
    },
    strict,
  ),
  { description: 'How deliveries are leased. Fields that are left out keep their value.' },
);
export type PollSettings = Static<typeof pollSettings>;

/** As answers show it. */
export const pollPolicy = named('PollPolicy', Type.Object(fields), {
  description: 'How deliveries are leased.',
});
export type PollPolicyFields = Static<typeof pollPolicy>;
