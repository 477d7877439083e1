/** Schemas of events in the history. */
import { type Static, Type } from 'typebox';
import { eventStatuses } from '#domain/event/event-status.ts';
import { named } from '#wire/openapi/describe.ts';
import {
  eventDataSchema,
  eventId,
  eventSource,
  eventSubject,
  eventTypeName,
  nullable,
  strict,
  tenantId,
  timestamp,
} from './fields.ts';

export const eventParams = Type.Object({ tenant: tenantId, event: eventId }, strict);

export const payloadFacts = nullable(
  named(
    'PayloadFacts',
    Type.Object(
      {
        size: Type.Integer({ description: 'Size in bytes.', examples: [1048576] }),
        sha256: Type.String({
          description: 'SHA-256 digest, in hex.',
          examples: ['9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'],
        }),
      },
      {
        description:
          'Set for a large event, whose `data` is in the object store: read it with `GET …/events/{event}/payload`.',
      },
    ),
  ),
);
export type PayloadFacts = NonNullable<Static<typeof payloadFacts>>;

export const eventStatus = named(
  'EventStatus',
  Type.Enum(eventStatuses, {
    description:
      '`accepted`: not routed yet. `matched`: it has deliveries. `unmatched`: no endpoint matched; `GET …/events/{event}/explanation` says why.',
  }),
);

const summary = {
  id: eventId,
  tenant_id: tenantId,
  status: eventStatus,
  producer_id: Type.String({
    description:
      'The `id` that the producer gave. It differs from `id` if `id` is a digest of `source` and this id.',
    examples: ['order-7'],
  }),
  event_type: eventTypeName,
  source: eventSource,
  time: timestamp('When the event happened, according to its producer'),
  subject: nullable(eventSubject),
  dataschema: nullable(eventDataSchema),
  content_type: nullable(
    Type.String({
      description: 'Media type of `data`. Null: application/json, or no data.',
      examples: ['application/json'],
    }),
  ),
  extensions: Type.Record(
    Type.String(),
    Type.Union([Type.String(), Type.Integer(), Type.Boolean()]),
    {
      description:
        'CloudEvents extension attributes. In an event that was sent in binary mode, they are strings.',
      examples: [{ region: 'eu', attempt: 2 }],
    },
  ),
  accepted_at: timestamp('When the event was stored'),
  correlation_id: nullable(
    Type.String({
      description: '`x-request-id` of the request that published the event.',
      examples: ['req_01k3v9h2c8m4n6p8q0r2s4t6v8'],
    }),
  ),
  payload: payloadFacts,
  matched_endpoint_count: nullable(
    Type.Integer({
      description:
        'Number of deliveries of the event. Null: not routed yet. 0: no endpoint matched; `GET …/events/{event}/explanation` says why.',
      examples: [2],
    }),
  ),
};

export const eventSummary = named('EventSummary', Type.Object(summary), {
  description: 'An event, as lists show it.',
});
export type EventSummary = Static<typeof eventSummary>;

export const event = named(
  'Event',
  Type.Object({
    ...summary,
    data: Type.Optional(
      Type.Unknown({
        description: 'The data as it was published: JSON, or a string if it is text.',
        examples: [{ amount: 12.5 }],
      }),
    ),
    data_base64: Type.Optional(
      Type.String({
        description: 'Data that is neither JSON nor text, in base64.',
        examples: ['3q2+7w=='],
      }),
    ),
    data_hidden: Type.Boolean({
      description: 'True if the event type is sensitive: `data` is not shown.',
      examples: [false],
    }),
    deliveries: Type.Record(Type.String(), Type.Integer(), {
      description: 'Number of deliveries by status.',
      examples: [{ delivered: 1, pending: 1 }],
    }),
  }),
  { description: 'An event with its data.' },
);
