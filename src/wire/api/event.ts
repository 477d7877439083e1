/** Events of the history in the API. */
import { type Static, Type } from 'typebox';
import { limits } from '#domain/limits.ts';
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
import { pageFields, pageOf } from './page.ts';

export const eventParams = Type.Object({ tenant: tenantId, event: eventId }, strict);

/** Query fields that bound a list in time. */
export const timeFields = {
  after: Type.Optional(timestamp('Accepted after this')),
  before: Type.Optional(timestamp('Accepted before this')),
};

export const payloadFacts = nullable(
  named(
    'PayloadFacts',
    Type.Object(
      {
        size: Type.Integer({ description: 'Bytes.', examples: [1048576] }),
        sha256: Type.String({
          description: 'In hex.',
          examples: ['9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'],
        }),
      },
      {
        description:
          'Of an event whose `data` is in the object store: `GET …/events/{event}/payload` gives it.',
      },
    ),
  ),
);
export type PayloadFacts = NonNullable<Static<typeof payloadFacts>>;

const summary = {
  id: eventId,
  producer_id: Type.String({
    description:
      'The `id` that the producer gave; other than `id` where that is a digest of `source` and this.',
    examples: ['order-7'],
  }),
  type: eventTypeName,
  source: eventSource,
  time: timestamp('When it happened, as the producer says'),
  subject: nullable(eventSubject),
  dataschema: nullable(eventDataSchema),
  content_type: nullable(
    Type.String({
      description: 'Null: application/json, or nothing where there is no data.',
      examples: ['application/json'],
    }),
  ),
  extensions: Type.Record(
    Type.String(),
    Type.Union([Type.String(), Type.Integer(), Type.Boolean()]),
    {
      description: 'CloudEvents extension attributes. Those sent in binary mode are strings.',
      examples: [{ region: 'eu', attempt: 2 }],
    },
  ),
  accepted_at: timestamp('When it was stored'),
  correlation_id: nullable(
    Type.String({
      description: '`x-request-id` of the request that published it.',
      examples: ['req_01k3v9h2c8m4n6p8q0r2s4t6v8'],
    }),
  ),
  payload: payloadFacts,
  matched_endpoints: nullable(
    Type.Integer({
      description:
        'How many deliveries it became. Null: not routed yet; 0: unmatched, and `GET …/events/{event}/explanation` says why.',
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
        description: 'As it was sent: JSON, or text as a string.',
        examples: [{ amount: 12.5 }],
      }),
    ),
    data_base64: Type.Optional(
      Type.String({ description: 'Data that is neither.', examples: ['3q2+7w=='] }),
    ),
    data_hidden: Type.Boolean({
      description: 'The event type is sensitive: `data` is not shown.',
      examples: [false],
    }),
    deliveries: Type.Record(Type.String(), Type.Integer(), {
      description: 'Its deliveries, counted by status.',
      examples: [{ delivered: 1, pending: 1 }],
    }),
  }),
  { description: 'An event with its data.' },
);

export const eventListQuery = Type.Object(
  {
    ...pageFields,
    ...timeFields,
    source: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: limits.eventSourceLengthMax,
        description: 'Together with `id`: only the events with this source and id.',
        examples: ['/orders'],
      }),
    ),
    id: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: limits.eventIdLengthMax,
        description:
          'The id that the producer gave, together with `source`. An id alone: `GET …/events/{event}`.',
        examples: ['1'],
      }),
    ),
    type: Type.Optional(eventTypeName),
    unmatched: Type.Optional(
      Type.Boolean({
        description:
          'True: only events that matched no endpoint; false: the others. Why: `GET …/events/{event}/explanation`.',
        examples: [true],
      }),
    ),
  },
  strict,
);
export type EventListQuery = Static<typeof eventListQuery>;
export const eventPage = pageOf('EventPage', eventSummary);
