/** Schemas of lists of events. */
import { type Static, Type } from 'typebox';
import { limits } from '#domain/limits.ts';
import { named } from '#wire/openapi/describe.ts';
import { eventStatus, event, eventSummary } from '../event.ts';
import { eventId, eventTypeName, strict } from '../fields.ts';
import { filterBy, orderField, pageFields, timeRangeFields } from '../page.ts';
import { searchPageOf, tenantField } from './search-fields.ts';

const text = (maxLength: number, description: string, example: string) =>
  Type.String({ minLength: 1, maxLength, description, examples: [example] });

const filters = {
  ...timeRangeFields('accepted_at'),
  id: filterBy(eventId),
  idempotency_key: Type.Optional(
    text(
      limits.idempotencyKeyLengthMax,
      '`Idempotency-Key` of the request that published the event. Lists every event of a batch.',
      '8e03978e-40d5-43dd-bc93-6894a57f9324',
    ),
  ),
  producer_id: Type.Optional(
    text(
      limits.eventIdLengthMax,
      'The id that the producer gave; requires `source`. To read an event by its id alone, use `id`.',
      'order-7',
    ),
  ),
  source: Type.Optional(
    text(limits.eventSourceLengthMax, 'Source of the event, as it was published.', '/orders'),
  ),
  subject: filterBy(text(limits.eventSubjectLengthMax, 'Subject of the event.', 'order/42')),
  correlation_id: filterBy(
    text(128, '`x-request-id` of the request that published the event.', 'req_01k3v9h2c8'),
  ),
  event_type: filterBy(eventTypeName),
  status: filterBy(eventStatus),
  'data[contains]': Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: limits.searchTextLengthMax,
      // MongoDB compares no text with a null character.
      pattern: '^[^\\u0000]+$',
      description:
        'Text in `data` exactly as it was published; upper and lower case differ. Events of sensitive types, binary data and large payloads are not searched.',
      examples: ['"sku":"A-17"'],
    }),
  ),
  filter: Type.Optional(
    text(
      limits.requestTargetLengthMax,
      'Filter on the event as JSON, in the language of subscriptions. Events of sensitive types are left out if it reads `data`.',
      '{"data.amount":{"$gt":100}}',
    ),
  ),
};

const include = {
  include: Type.Optional(
    named(
      'EventInclude',
      Type.Enum(['data'], {
        description: `\`data\`: adds the data of each event. A page then ends early at ${limits.pageDataBytesMax / 1024 / 1024} MiB.`,
        examples: ['data'],
      }),
    ),
  ),
};

export const eventCountQuery = Type.Object(filters, strict);
export const eventListQuery = Type.Object(
  { ...pageFields, ...orderField('newest'), ...filters, ...include },
  strict,
);
export type EventListQuery = Static<typeof eventListQuery>;
export type EventFilterQuery = Static<typeof eventCountQuery>;

export const allEventCountQuery = Type.Object({ ...filters, ...tenantField }, strict);
export const allEventListQuery = Type.Object(
  { ...pageFields, ...orderField('newest'), ...filters, ...tenantField, ...include },
  strict,
);

const { data, data_base64, data_hidden } = event.properties;

export const eventPage = searchPageOf(
  'EventPage',
  named(
    'ListedEvent',
    Type.Object({
      ...eventSummary.properties,
      data,
      data_base64,
      data_hidden: Type.Optional(data_hidden),
    }),
    { description: 'An event, as lists show it; with its data if the request includes it.' },
  ),
);
