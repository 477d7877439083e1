/** Schemas of polls (DL-19). */
import { type Static, Type } from 'typebox';
import { limits } from '#domain/limits.ts';
import { named } from '#wire/openapi/describe.ts';
import { timeRange } from '../page.ts';
import { eventId, eventTypeName, nullable, resourceId, strict, timestamp } from '../fields.ts';

const leaseSeconds = Type.Integer({
  minimum: 1,
  maximum: limits.leaseSecondsMax,
  description:
    "Duration of the lease in seconds, from now. Absent: the endpoint's `lease_seconds`.",
  examples: [60],
});

const leaseIdText = Type.String({
  minLength: 1,
  maxLength: 128,
  description: 'Id of a lease. A delivery that is leased again gets another one.',
  examples: ['dlv_4PbmT0yqyoxbYJRE3sl_bcgG3B.1'],
});

const leaseIds = Type.Array(leaseIdText, {
  minItems: 1,
  maxItems: limits.pollDeliveriesMax,
  uniqueItems: true,
  description: 'The leases.',
});

export const pollQuery = Type.Object(
  {
    limit: Type.Integer({
      minimum: 1,
      maximum: limits.pollDeliveriesMax,
      default: 10,
      description: 'Maximum number of deliveries.',
    }),
    wait_seconds: Type.Integer({
      minimum: 0,
      maximum: limits.pollWaitSecondsMax,
      default: 0,
      description: 'How long to wait for a delivery if there is none.',
    }),
    lease_seconds: Type.Optional(leaseSeconds),
  },
  strict,
);
export type PollQuery = Static<typeof pollQuery>;

const polledDelivery = named(
  'PolledDelivery',
  Type.Object({
    lease_id: leaseIdText,
    lease_expires_at: timestamp('When the delivery returns to the queue, unless it is committed'),
    delivery_id: resourceId('the delivery', 'dlv'),
    event_id: eventId,
    event_type: eventTypeName,
    accepted_at: timestamp('When the event was stored'),
    attempt_count: Type.Integer({
      description: 'Number of leases of this delivery, this one included.',
      examples: [1],
    }),
    sequence: nullable(
      Type.Integer({
        description: 'Number of the delivery, if the endpoint is sequenced.',
        examples: [42],
      }),
    ),
    body: Type.String({
      description:
        'The body of a Standard Webhook, as text: `type`, `timestamp` and `data` with the digits that were published. A large payload comes as a link.',
      examples: [
        '{"type":"order.created","timestamp":"2026-01-31T12:00:00.000Z","data":{"amount":12.50}}',
      ],
    }),
  }),
  { description: 'A delivery under a lease.' },
);
export type PolledDelivery = Static<typeof polledDelivery>;

export const poll = named('Poll', Type.Object({ data: Type.Array(polledDelivery) }), {
  description: 'The deliveries of one poll; empty: there is none.',
});
export type Poll = Static<typeof poll>;

export const commitRequest = named('Commit', Type.Object({ lease_ids: leaseIds }, strict), {
  description: 'The leases to commit.',
  examples: [{ lease_ids: ['dlv_4PbmT0yqyoxbYJRE3sl_bcgG3B.1'] }],
});

export const extendRequest = named(
  'Extension',
  Type.Object({ lease_ids: leaseIds, lease_seconds: Type.Optional(leaseSeconds) }, strict),
  {
    description: 'The leases to extend.',
    examples: [{ lease_ids: ['dlv_4PbmT0yqyoxbYJRE3sl_bcgG3B.1'], lease_seconds: 120 }],
  },
);

export const seekRequest = named('Seek', Type.Object({ accepted_at: timeRange }, strict), {
  description: 'When the events of the deliveries were stored.',
  examples: [{ accepted_at: { gte: '2026-01-31T12:00:00.000Z', lt: '2026-01-31T13:00:00.000Z' } }],
});

/** `expired`: the lease has ended, and the delivery is leased again. */
export const leaseStatuses = ['committed', 'extended', 'expired'] as const;

const lease = named(
  'Lease',
  Type.Object({
    lease_id: leaseIdText,
    status: named(
      'LeaseStatus',
      Type.Enum(leaseStatuses, {
        description:
          '`committed`: the delivery is delivered. `extended`: the lease ends later. `expired`: the lease has ended, and nothing was changed.',
      }),
    ),
    lease_expires_at: nullable(timestamp('The new end of an extended lease')),
  }),
  { description: 'A lease after the request.' },
);
export type Lease = Static<typeof lease>;

export const leases = named('Leases', Type.Object({ data: Type.Array(lease) }), {
  description: 'The result for each lease, in the order of the request.',
});
