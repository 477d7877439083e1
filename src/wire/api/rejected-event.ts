/** Schemas of messages that producers sent over NATS and the platform rejected. */
import { type Static, Type } from 'typebox';
import { named } from '#wire/openapi/describe.ts';
import { nullable, strict, timestamp } from './fields.ts';
import { pageFields, pageOf } from './page.ts';
import { problem } from './problem.ts';

export const rejectedEvent = named(
  'RejectedEvent',
  Type.Object({
    id: Type.String({
      description: 'Correlation id of the message; the log has it too.',
      examples: ['req_01k3v9h2c8m4n6p8q0r2s4t6v8'],
    }),
    event_type: Type.String({
      description: 'The event type that the subject named.',
      examples: ['order.created'],
    }),
    rejected_at: timestamp('When the message was rejected'),
    problem,
    byte_count: Type.Integer({ description: 'Size of the message in bytes.', examples: [512] }),
    body: nullable(
      Type.String({
        description: 'The first 16 KiB of the message. Null if it is hidden.',
        examples: ['{"amount": '],
      }),
    ),
    body_encoding: nullable(
      Type.Literal('base64', {
        description:
          '`base64` if the message is not UTF-8, or was cut inside a character; null if it is text.',
      }),
    ),
    data_hidden: Type.Boolean({
      description: 'True if the event type is sensitive: `body` is not shown.',
      examples: [false],
    }),
  }),
  { description: 'A message over NATS that was rejected.' },
);
export type RejectedEvent = Static<typeof rejectedEvent>;

export const rejectedEventListQuery = Type.Object(pageFields, strict);
export const rejectedEventPage = pageOf('RejectedEventPage', rejectedEvent);
