/** CloudEvents 1.0 as producers send them: structured and batched in a body, binary in headers. */
import { Type } from 'typebox';
import { limits } from '#domain/limits.ts';
import { named } from '#wire/openapi/describe.ts';
import { eventTypeName, nullable, priority } from '#wire/api/fields.ts';

const id = Type.String({ minLength: 1, maxLength: limits.eventIdLengthMax });
const source = Type.String({ minLength: 1, maxLength: limits.eventSourceLengthMax });
const time = Type.String({ format: 'date-time' });
const subject = Type.String({ minLength: 1, maxLength: limits.eventSubjectLengthMax });
const dataschema = Type.String({ minLength: 1, maxLength: limits.eventSourceLengthMax });

export const cloudEvent = named(
  'CloudEvent',
  Type.Object(
    {
      specversion: Type.Literal('1.0'),
      id,
      source,
      type: eventTypeName,
      time: Type.Optional(nullable(time)),
      subject: Type.Optional(nullable(subject)),
      dataschema: Type.Optional(nullable(dataschema)),
      datacontenttype: Type.Optional(
        nullable(
          Type.String({
            minLength: 1,
            description: 'Media type of `data`; absent: application/json.',
          }),
        ),
      ),
      data: Type.Optional(Type.Unknown()),
      data_base64: Type.Optional(
        Type.String({ description: 'Data as bytes, in base64; never beside `data`.' }),
      ),
      posthornpriority: Type.Optional(priority),
    },
    {
      additionalProperties: true,
      description:
        'CloudEvents 1.0, JSON format. Further members are extension attributes: named by lower-case letters and digits, with a string, an integer or a boolean.',
    },
  ),
);

export const cloudEventBatch = named(
  'CloudEventBatch',
  Type.Array(cloudEvent, { minItems: 1, maxItems: limits.batchEventsMax }),
);

/** Binary mode: present together, where the body is `data`. */
export const cloudEventHeaders = {
  'ce-specversion': Type.Optional(
    Type.Literal('1.0', { description: 'Says that the request is a CloudEvent in binary mode.' }),
  ),
  'ce-id': Type.Optional(id),
  'ce-source': Type.Optional(source),
  'ce-type': Type.Optional(eventTypeName),
  'ce-time': Type.Optional(time),
  'ce-subject': Type.Optional(subject),
  'ce-dataschema': Type.Optional(dataschema),
  'ce-posthornpriority': Type.Optional(priority),
};
