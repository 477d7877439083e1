/** Schemas of fields that several resources share. */
import { type Static, type TObject, type TSchema, Type } from 'typebox';
import { EVENT_TYPE_PATTERN, EVENT_TYPE_SELECTOR_PATTERN } from '#domain/event/event-type.ts';
import { limits } from '#domain/limits.ts';
import { priorities } from '#domain/event/priority.ts';
import { TENANT_ID_PATTERN } from '#domain/tenant.ts';
import { named } from '#wire/openapi/describe.ts';

/** Rejects unknown fields. */
export const strict = { additionalProperties: false } as const;

export const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

/**
 * A union of objects that the member `tag` distinguishes. Each has it as a constant, so that an
 * error names the tag's allowed values, or a field of the one schema that the tag selects.
 */
export function taggedUnion<T extends TObject[]>(tag: string, oneOf: [...T]) {
  const discriminator = { propertyName: tag };
  return Type.Unsafe<Static<T[number]>>({ type: 'object', discriminator, oneOf });
}

export const timestamp = (description: string) =>
  Type.String({
    format: 'date-time',
    description: `${description} (RFC 3339, UTC)`,
    examples: ['2026-01-31T12:00:00.000Z'],
  });

export const tenantId = Type.String({
  pattern: TENANT_ID_PATTERN,
  minLength: 1,
  maxLength: limits.tenantIdLengthMax,
  description: 'Id of a tenant. The operator chooses it.',
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
    'Name of an event type: any text without control characters. Dots separate segments, so that a subscription can select all names below a prefix.',
  examples: ['order.created'],
});

export const priority = named(
  'Priority',
  Type.Enum(priorities, {
    description: 'A `high` event is delivered ahead of the backlog of its tenant.',
  }),
);

export const eventId = Type.String({
  minLength: 1,
  maxLength: limits.eventIdLengthMax,
  description:
    'Id of an event: chosen by its producer, derived from the source and id of a CloudEvent (`ce_…`) or of a broadcast (`bc_…`), or generated (`evt_…`).',
  examples: ['evt_01k3v9h2c8m4n6p8q0r2s4t6v8'],
});

export const eventSource = Type.String({
  description: 'Source of the event, as a URI reference.',
  examples: ['/shop/orders'],
});

export const eventSubject = Type.String({
  description: 'Subject of the event within its source.',
  examples: ['order/42'],
});

export const eventDataSchema = Type.String({
  description: 'URI of the schema of `data`.',
  examples: ['https://example.com/schemas/order-created.json'],
});

/** @param note added to the description of the list, for example the meaning of an absent list */
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

/** Any JSON object; the filter parser checks its content and names every fault. */
export const filterDocument = Type.Record(Type.String(), Type.Unknown(), {
  description:
    'Filter on the event, in MongoDB query operators, for example `{"data.amount": {"$gt": 100}}`.',
  examples: [{ 'data.amount': { $gt: 100 } }],
});

export const revision = Type.Integer({
  description: 'Revision of the resource: grows with each change. It is also the ETag.',
  examples: [3],
});

/** Header fields of every request for a resource with an `etag`. */
export const preconditionHeaders = Type.Object({
  'if-match': Type.Optional(
    Type.String({
      maxLength: 200,
      description:
        'ETag of the revision that the request is based on. If the resource has another one, the answer is 412.',
      examples: ['"3"'],
    }),
  ),
  'if-none-match': Type.Optional(
    Type.String({
      maxLength: 200,
      description:
        'ETags that the caller has. If the resource has one of them, a GET is answered with 304, and a change with 412. `*` means any: a PUT with it creates the resource and never replaces it.',
      examples: ['"2"'],
    }),
  ),
});

/** Header fields of every POST of the control API. */
export const idempotencyKeyHeader = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: limits.idempotencyKeyLengthMax,
      description:
        'Makes it safe to repeat this request: for 24 hours, or until the resource of the answer is deleted, the same API key, route, parameters and body get the first answer again, with `idempotency-replayed: true`.',
      examples: ['8e03978e-40d5-43dd-bc93-6894a57f9324'],
    }),
  ),
});
