/** The registry of event types in the API. */
import { type Static, Type } from 'typebox';
import { deduplicationBounds } from '#domain/event/deduplication.ts';
import { eventTypeStates } from '#domain/event/event-type.ts';
import { limits } from '#domain/limits.ts';
import { named } from '#wire/openapi/describe.ts';
import { eventTypeName, nullable, priority, revision, strict, timestamp } from './fields.ts';
import { pageFields, pageOf } from './page.ts';

export const eventTypeParams = Type.Object({ name: eventTypeName }, strict);

const fields = {
  description: Type.String({
    maxLength: 2000,
    description: 'Shown to people.',
    examples: ['An order was placed.'],
  }),
  schema: Type.Record(Type.String(), Type.Unknown(), {
    description: 'JSON Schema (2020-12) of `data`.',
    examples: [
      { type: 'object', required: ['amount'], properties: { amount: { type: 'number' } } },
    ],
  }),
  status: named(
    'EventTypeStatus',
    Type.Enum(eventTypeStates, {
      description: 'Events of an INACTIVE type are refused.',
    }),
  ),
  sensitive: Type.Boolean({
    description: 'The `data` of its events is neither shown nor logged.',
    examples: [false],
  }),
  priority,
  producerDomain: Type.String({
    minLength: 1,
    maxLength: 128,
    description: 'The part of the producing system that owns the type.',
    examples: ['orders'],
  }),
  deduplication: named(
    'Deduplication',
    Type.Object(
      {
        fields: Type.Array(
          Type.String({ minLength: 1, maxLength: limits.deduplicationFieldLengthMax }),
          {
            minItems: 1,
            maxItems: limits.deduplicationFieldsMax,
            uniqueItems: true,
            description: 'Attributes by name, parts of `data` by JSON pointer.',
            examples: [['source', '/data/project']],
          },
        ),
        window_seconds: Type.Integer({
          ...deduplicationBounds.windowSeconds,
          description: 'For how long an event stands for those that are equal to it.',
          examples: [3600],
        }),
      },
      {
        ...strict,
        description: 'Events of one tenant that are equal in these fields are one event.',
      },
    ),
  ),
};

export const eventTypeSettings = named(
  'EventTypeSettings',
  Type.Object(
    {
      description: Type.Optional(fields.description),
      schema: Type.Optional(fields.schema),
      status: Type.Optional(fields.status),
      sensitive: Type.Optional(fields.sensitive),
      priority: Type.Optional(fields.priority),
      producer_domain: Type.Optional(fields.producerDomain),
      deduplication: Type.Optional(nullable(fields.deduplication)),
    },
    strict,
  ),
  {
    description: 'Settings of an event type.',
    examples: [
      {
        description: 'An order was placed.',
        schema: {
          type: 'object',
          required: ['amount'],
          properties: { amount: { type: 'number' } },
        },
        producer_domain: 'orders',
      },
    ],
  },
);
export type EventTypeSettings = Static<typeof eventTypeSettings>;

const version = named(
  'EventTypeVersion',
  Type.Object({
    version: Type.Integer({ description: 'From 1.', examples: [1] }),
    schema: nullable(fields.schema),
    created_at: timestamp('When it was made'),
  }),
  { description: 'A version of the JSON Schema.' },
);

const summary = {
  name: eventTypeName,
  description: nullable(fields.description),
  status: fields.status,
  sensitive: fields.sensitive,
  priority: fields.priority,
  producer_domain: nullable(fields.producerDomain),
  deduplication: nullable(fields.deduplication),
  auto: Type.Boolean({
    description: 'Not registered: events of the tenant use it. Removed when none has for 30 days.',
    examples: [false],
  }),
  version: Type.Integer({
    description: 'The newest version: events are checked against it.',
    examples: [1],
  }),
  revision,
  created_at: timestamp('When it was registered'),
  updated_at: timestamp('When it was last changed'),
};

export const eventTypeSummary = named('EventTypeSummary', Type.Object(summary), {
  description: 'An event type, as lists show it.',
});
export type EventTypeSummary = Static<typeof eventTypeSummary>;

export const eventType = named(
  'EventType',
  Type.Object({
    ...summary,
    schema: nullable(fields.schema),
    versions: Type.Array(version, { description: 'Oldest first.' }),
  }),
  { description: 'An event type with its versions.' },
);
export type EventTypeResource = Static<typeof eventType>;

export const eventTypeListQuery = Type.Object(
  { ...pageFields, status: Type.Optional(fields.status) },
  strict,
);
export const eventTypePage = pageOf('EventTypePage', eventTypeSummary);
