/** Fields that several resources share, as the API shows them. */
import { type TSchema, Type } from 'typebox';
import { EVENT_TYPE_PATTERN, EVENT_TYPE_SELECTOR_PATTERN } from '#domain/event/event-type.ts';
import { limits } from '#domain/limits.ts';
import { priorities } from '#domain/event/priority.ts';
import { TENANT_ID_PATTERN } from '#domain/tenant.ts';
import { named } from '#wire/openapi/describe.ts';

/** Refuses what it does not know. */
export const strict = { additionalProperties: false } as const;

export const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

export const timestamp = (description: string) =>
  Type.String({
    format: 'date-time',
    description: `${description} (RFC 3339, UTC)`,
    examples: ['2026-01-31T12:00:00.000Z'],
  });

export const tenantId = Type.String({
  pattern: TENANT_ID_PATTERN,
  description: 'Id of a tenant, chosen by the operator.',
  examples: ['acme'],
});

export const resourceId = (what: string, prefix: string) =>
  Type.String({
    minLength: 1,
    maxLength: 64,
    description: `Id of ${what}.`,
    examples: [`${prefix}_01k3v9h2c8m4n6p8q0r2s4t6v8`],
  });

export const eventTypeName = Type.String({
  pattern: EVENT_TYPE_PATTERN,
  maxLength: limits.eventTypeLengthMax,
  description:
    'Name of an event type: any text without control characters; segments between dots can be selected together.',
  examples: ['order.created'],
});

export const priority = named(
  'Priority',
  Type.Enum(priorities, { description: 'A `high` event overtakes the backlog of its tenant.' }),
);

export const eventId = Type.String({
  minLength: 1,
  maxLength: limits.eventIdLengthMax,
  description:
    'Id of an event: chosen by its producer, a digest of the source and id of a CloudEvent (`ce_…`), or `evt_…`.',
  examples: ['evt_01k3v9h2c8m4n6p8q0r2s4t6v8'],
});

export const eventSource = Type.String({
  description: 'Where the event comes from: a URI reference.',
  examples: ['/shop/orders'],
});

export const eventSubject = Type.String({
  description: 'What the event is about, within its source.',
  examples: ['order/42'],
});

export const eventDataSchema = Type.String({
  description: 'URI of the schema of `data`.',
  examples: ['https://example.com/schemas/order-created.json'],
});

/** @param note what is said about the list beside what it may hold */
export const eventTypeSelectors = (note = '', minItems = 0) =>
  Type.Array(
    Type.String({
      pattern: EVENT_TYPE_SELECTOR_PATTERN,
      maxLength: limits.eventTypeLengthMax + 2,
      examples: ['order.*'],
    }),
    {
      minItems,
      maxItems: limits.subscriptionEventTypesMax,
      uniqueItems: true,
      description: `Event types: a name, \`order.*\` for every name below \`order.\`, or \`*\` for all. ${note}`,
    },
  );

/** Any JSON object; what may stand in it is checked by the filter itself, which names every fault. */
export const filterDocument = Type.Record(Type.String(), Type.Unknown(), {
  description:
    'Filter over the event in MongoDB query operators, like `{"data.amount": {"$gt": 100}}`.',
  examples: [{ 'data.amount': { $gt: 100 } }],
});

export const revision = Type.Integer({
  description: 'Grows with each change; the ETag.',
  examples: [3],
});

export const ifMatchHeader = Type.Object({
  'if-match': Type.Optional(
    Type.String({
      maxLength: 200,
      description:
        'ETag of the revision that this change is based on; 412 if it has changed since.',
      examples: ['"3"'],
    }),
  ),
});

export const putPreconditionHeaders = Type.Object({
  ...ifMatchHeader.properties,
  'if-none-match': Type.Optional(
    Type.String({
      maxLength: 200,
      description: '`*` creates and never replaces: 412 if the resource exists.',
      examples: ['*'],
    }),
  ),
});

/** Of every GET that answers with an `etag`. */
export const ifNoneMatchHeader = Type.Object({
  'if-none-match': Type.Optional(
    Type.String({
      description: 'ETags that the caller has: 304 if the resource still has one of them.',
      examples: ['"3"'],
    }),
  ),
});

/** Of every POST of the control API. */
export const idempotencyKeyHeader = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: limits.idempotencyKeyLengthMax,
      description:
        'Makes a repeat of this request safe: for 24 hours the same API key, path and body get the first answer again, with `idempotency-replayed: true`.',
      examples: ['8e03978e-40d5-43dd-bc93-6894a57f9324'],
    }),
  ),
});
