/**
 * Schemas of CloudEvents 1.0 from producers: structured and batched in a body, binary in headers.
 */
import { Type } from 'typebox';
import { EVENT_TEXT_PATTERN } from '#domain/event/event-id.ts';
import { limits } from '#domain/limits.ts';
import { MEDIA_TYPE_PATTERN } from '#domain/event/media-type.ts';
import { named } from '#wire/openapi/describe.ts';
import {
  eventDataSchema,
  eventSource,
  eventSubject,
  eventTypeName,
  nullable,
  priority,
  timestamp,
} from '#wire/api/fields.ts';

const id = Type.String({
  pattern: EVENT_TEXT_PATTERN,
  minLength: 1,
  maxLength: limits.eventIdLengthMax,
  description: 'Identifies the event together with `source`.',
  examples: ['order-42-created'],
});
const source = Type.String({
  ...eventSource,
  pattern: EVENT_TEXT_PATTERN,
  minLength: 1,
  maxLength: limits.eventSourceLengthMax,
});
const subject = Type.String({
  ...eventSubject,
  pattern: EVENT_TEXT_PATTERN,
  minLength: 1,
  maxLength: limits.eventSubjectLengthMax,
});
const dataschema = Type.String({
  ...eventDataSchema,
  pattern: EVENT_TEXT_PATTERN,
  minLength: 1,
  maxLength: limits.eventSourceLengthMax,
});

const DATE_TIME =
  '^\\d{4}-\\d\\d-\\d\\d[Tt]\\d\\d:\\d\\d:\\d\\d(\\.\\d{1,18})?([Zz]|[+-]\\d\\d:\\d\\d)$';

const BASE64 = '^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$';
const anyButNull = Type.Unsafe({ not: { type: 'null' } });

const extensionValue = Type.Union([
  Type.String({ maxLength: limits.eventExtensionValueLengthMax }),
  Type.Integer({ minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER }),
  Type.Boolean(),
  Type.Null(),
]);

const attributes = {
  // Declared as a string, because the CloudEvents SDK types it so.
  specversion: Type.String({
    pattern: '^1\\.0$',
    description: 'Always `1.0`.',
    examples: ['1.0'],
  }),
  id,
  source,
  type: eventTypeName,
  time: Type.Optional(nullable(timestamp('When it happened'))),
  subject: Type.Optional(nullable(subject)),
  dataschema: Type.Optional(nullable(dataschema)),
  datacontenttype: Type.Optional(
    nullable(
      Type.String({
        pattern: MEDIA_TYPE_PATTERN,
        description: 'Media type of `data`. Absent: application/json. JSON and text are in UTF-8.',
        examples: ['application/json'],
      }),
    ),
  ),
  data: Type.Optional(
    Type.Unknown({
      description: 'Any JSON. Absent: the event has no data, which differs from `null`.',
      examples: [{ amount: 12.5 }],
    }),
  ),
  data_base64: Type.Optional(
    nullable(
      Type.String({
        pattern: BASE64,
        description: 'Binary data, in base64; cannot be combined with `data`.',
        examples: ['3q2+7w=='],
      }),
    ),
  ),
  posthornpriority: Type.Optional(nullable(priority)),
};

/**
 * Matches the names of extension attributes: every name except those of CloudEvents' own attributes
 * and `data`.
 */
const EXTENSION = `^(?!(?:${Object.keys(attributes).join('|')})$)[a-z0-9]+$`;
const MEMBER = `^(?:[a-z0-9]{1,${limits.eventExtensionNameLengthMax}}|data_base64)$`;

export const cloudEvent = named(
  'CloudEvent',
  Type.Object(attributes, {
    additionalProperties: true,
    patternProperties: { [EXTENSION]: extensionValue },
    propertyNames: Type.String({ pattern: MEMBER }),
    not: Type.Object({ data: anyButNull, data_base64: Type.String() }),
    description:
      'CloudEvents 1.0, JSON format. Other members are extension attributes: their names have lower-case letters and digits; their values are strings, integers, booleans or null. Null means that the attribute is absent.',
  }),
  {
    examples: [
      {
        specversion: '1.0',
        id: 'order-42-created',
        source: '/shop/orders',
        type: 'order.created',
        time: '2026-01-31T12:00:00Z',
        datacontenttype: 'application/json',
        region: 'eu',
        data: { amount: 12.5 },
      },
    ],
  },
);

export const cloudEventBatch = named(
  'CloudEventBatch',
  Type.Array(cloudEvent, { maxItems: limits.batchEventsMax }),
  { description: 'Events to publish together.' },
);

/** Headers of binary mode: all required ones are present together, and the body is `data`. */
export const cloudEventHeaders = {
  'ce-specversion': Type.Optional(
    named(
      'CloudEventsVersion',
      Type.Enum(['1.0'], {
        description: 'Marks the request as a CloudEvent in binary mode.',
      }),
    ),
  ),
  'ce-id': Type.Optional(id),
  'ce-source': Type.Optional(source),
  'ce-type': Type.Optional(eventTypeName),
  'ce-time': Type.Optional(
    // Declared as a string: a generator would turn the format into a date, which no header can
    // hold.
    Type.String({
      pattern: DATE_TIME,
      description: 'When the event happened (RFC 3339).',
      examples: ['2026-01-31T12:00:00Z'],
    }),
  ),
  'ce-subject': Type.Optional(subject),
  'ce-dataschema': Type.Optional(dataschema),
  'ce-posthornpriority': Type.Optional(priority),
};
