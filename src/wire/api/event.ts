/** Events of the history in the API. */
import { type Static, Type } from 'typebox';
import { limits } from '#domain/limits.ts';
import { named } from '#wire/openapi/describe.ts';
import { eventTypeName, nullable, strict, tenantId, timestamp } from './fields.ts';
import { pageFields, pageOf } from './page.ts';

const eventId = Type.String({ minLength: 1, maxLength: limits.eventIdLengthMax });

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
        size: Type.Integer({ description: 'Bytes.' }),
        sha256: Type.String({ description: 'In hex.' }),
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
  type: eventTypeName,
  source: Type.String(),
  time: timestamp('When it happened, as the producer says'),
  subject: nullable(Type.String()),
  dataschema: nullable(Type.String()),
  content_type: nullable(Type.String({ description: 'Null: application/json.' })),
  extensions: Type.Record(Type.String(), Type.String(), {
    description: 'CloudEvents extension attributes.',
  }),
  accepted_at: timestamp('When it was stored'),
  correlation_id: nullable(Type.String()),
  payload: payloadFacts,
  matched_endpoints: nullable(
    Type.Integer({
      description:
        'How many deliveries it became. Null: not routed yet; 0: unmatched, and `GET …/events/{event}/explanation` says why.',
    }),
  ),
};

export const eventSummary = named('EventSummary', Type.Object(summary));
export type EventSummary = Static<typeof eventSummary>;

export const event = named(
  'Event',
  Type.Object({
    ...summary,
    data: Type.Optional(
      Type.Unknown({ description: 'As it was sent: JSON, or text as a string.' }),
    ),
    data_base64: Type.Optional(Type.String({ description: 'Data that is neither.' })),
    data_hidden: Type.Boolean({ description: 'The event type is sensitive: `data` is not shown.' }),
    deliveries: Type.Record(Type.String(), Type.Integer(), {
      description: 'Its deliveries, counted by status.',
    }),
  }),
);

export const eventListQuery = Type.Object(
  {
    ...pageFields,
    ...timeFields,
    type: Type.Optional(eventTypeName),
    unmatched: Type.Optional(
      Type.Boolean({
        description:
          'True: only events that matched no endpoint; false: the others. Why: `GET …/events/{event}/explanation`.',
      }),
    ),
  },
  strict,
);
export type EventListQuery = Static<typeof eventListQuery>;
export const eventPage = pageOf('EventPage', eventSummary);
