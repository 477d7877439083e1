/** Schemas of the registry of event types. */
import { type Static, Type } from 'typebox';
import { deduplicationBounds } from '#domain/event/deduplication.ts';
import { compatibilities, eventTypeStatuses } from '#domain/event/event-type.ts';
import { limits } from '#domain/limits.ts';
import { named } from '#wire/openapi/describe.ts';
import { eventTypeName, nullable, priority, revision, strict, timestamp } from './fields.ts';
import { filterBy, pageFields, pageOf } from './page.ts';

export const eventTypeParams = Type.Object({ name: eventTypeName }, strict);

const fields = {
  description: Type.String({
    maxLength: 2000,
    description: 'A description for people.',
    examples: ['An order was placed.'],
  }),
  schema: Type.Record(Type.String(), Type.Unknown(), {
    description: 'JSON Schema (2020-12) that `data` must match. Absent: any data.',
    examples: [
      { type: 'object', required: ['amount'], properties: { amount: { type: 'number' } } },
    ],
  }),
  status: named(
    'EventTypeStatus',
    Type.Enum(eventTypeStatuses, {
      description: 'Events of an `inactive` type are rejected.',
    }),
  ),
  sensitive: Type.Boolean({
    description: 'True: the `data` of events of this type is neither shown nor logged.',
    examples: [false],
  }),
  priority,
  producerDomain: Type.String({
    minLength: 1,
    maxLength: 128,
    description: 'The team or service that owns the type.',
    examples: ['orders'],
  }),
  compatibility: named(
    'Compatibility',
    Type.Enum(compatibilities, {
      description:
        'Which new versions of the schema are accepted. `backward`: data of the version before must match the new one. `forward`: the reverse, so that receivers need no change. `full`: both.',
    }),
  ),
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
            description:
              'The fields to compare: attributes by name, parts of `data` by JSON pointer.',
            examples: [['source', '/data/project']],
          },
        ),
        window_seconds: Type.Integer({
          ...deduplicationBounds.windowSeconds,
          description: 'Seconds for which a later equal event counts as a duplicate.',
          examples: [3600],
        }),
      },
      {
        ...strict,
        description:
          'Removes duplicates: events of one tenant that are equal in these fields are treated as one event.',
      },
    ),
  ),
  samples: Type.Array(Type.Unknown(), {
    maxItems: limits.eventTypeSamplesMax,
    description:
      'Samples of `data` that match the schema. They are shown to every caller, also for a sensitive type.',
    examples: [[{ amount: 12.5 }]],
  }),
};

const deprecationFields = {
  deprecated_at: timestamp('When the type became deprecated'),
  ends_at: nullable(timestamp('When its events are to end; null: not known')),
  successor: nullable({ ...eventTypeName, description: 'The event type to use instead.' }),
};

const deprecation = named('Deprecation', Type.Object(deprecationFields), {
  description:
    'The type should not be used any more. A notice for people and tools: its events are accepted until its status is `inactive`.',
});

const newDeprecation = named(
  'NewDeprecation',
  Type.Object(
    {
      deprecated_at: Type.Optional(
        timestamp('When the type became deprecated. Absent: now, or the time before'),
      ),
      ends_at: Type.Optional(deprecationFields.ends_at),
      successor: Type.Optional(deprecationFields.successor),
    },
    strict,
  ),
  {
    description: 'A deprecation of an event type.',
    examples: [{ ends_at: '2027-01-31T12:00:00.000Z', successor: 'order.placed' }],
  },
);

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
      compatibility: Type.Optional(fields.compatibility),
      deduplication: Type.Optional(nullable(fields.deduplication)),
      samples: Type.Optional(fields.samples),
      deprecation: Type.Optional(nullable(newDeprecation)),
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

export const eventTypeChange = named(
  'EventTypeChange',
  Type.Object(
    {
      ...eventTypeSettings.properties,
      description: Type.Optional(nullable(fields.description)),
      schema: Type.Optional(nullable(fields.schema)),
      producer_domain: Type.Optional(nullable(fields.producerDomain)),
    },
    { ...strict, minProperties: 1 },
  ),
  {
    description:
      'The settings of an event type to change. Null removes a setting. `schema` and `deduplication` are replaced as a whole.',
    examples: [{ description: 'An order was placed.', producer_domain: null }],
  },
);
export type EventTypeChange = Static<typeof eventTypeChange>;

const version = named(
  'EventTypeVersion',
  Type.Object({
    version: Type.Integer({ description: 'Number of the version, from 1.', examples: [1] }),
    schema: nullable(fields.schema),
    created_at: timestamp('When the version was created'),
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
  compatibility: fields.compatibility,
  deduplication: nullable(fields.deduplication),
  deprecation: nullable(deprecation),
  auto: Type.Boolean({
    description:
      'True if the type is not registered but events of the tenant use it. Such a type is removed after 30 days without an event.',
    examples: [false],
  }),
  version: Type.Integer({
    description: 'The newest version, which events are checked against.',
    examples: [1],
  }),
  revision,
  created_at: timestamp('When the type was registered'),
  updated_at: timestamp('When the type was last changed'),
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
    samples: fields.samples,
    versions: Type.Array(version, { description: 'The versions, oldest first.' }),
  }),
  { description: 'An event type with its versions.' },
);
export type EventTypeResource = Static<typeof eventType>;

export const eventTypeListQuery = Type.Object(
  { ...pageFields, status: filterBy(fields.status) },
  strict,
);
export type EventTypeListQuery = Static<typeof eventTypeListQuery>;
export const eventTypePage = pageOf('EventTypePage', eventTypeSummary);
