/** What producers sent over NATS and was refused, in the API. */
import { type Static, Type } from 'typebox';
import { named } from '#wire/openapi/describe.ts';
import { nullable, strict, timestamp } from './fields.ts';
import { pageFields, pageOf } from './page.ts';
import { problem } from './problem.ts';

export const rejectedEvent = named(
  'RejectedEvent',
  Type.Object({
    id: Type.String({
      description: 'The request id, which the log has too.',
      examples: ['req_01k3v9h2c8m4n6p8q0r2s4t6v8'],
    }),
    type: Type.String({
      description: 'The type that the subject named.',
      examples: ['order.created'],
    }),
    rejected_at: timestamp('When it was refused'),
    problem,
    bytes: Type.Integer({ description: 'Length of what was sent.', examples: [512] }),
    body: nullable(
      Type.String({
        description: 'The first 16 KiB of what was sent. Null where it is hidden.',
        examples: ['{"amount": '],
      }),
    ),
    body_encoding: nullable(
      Type.Literal('base64', { description: 'What was sent is not UTF-8, or was cut within one.' }),
    ),
    data_hidden: Type.Boolean({
      description: 'The event type is sensitive: `body` is not shown.',
      examples: [false],
    }),
  }),
  { description: 'A message over NATS that was refused.' },
);
export type RejectedEvent = Static<typeof rejectedEvent>;

export const rejectedEventListQuery = Type.Object(pageFields, strict);
export const rejectedEventPage = pageOf('RejectedEventPage', rejectedEvent);
