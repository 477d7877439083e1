/** Schemas of the dry publish (IN-17). */
import { type Static, Type } from 'typebox';
import { named } from '#wire/openapi/describe.ts';
import { publishedEvent } from '../events-ingress.ts';
import { endpointExplanation } from '../event-explanation.ts';
import { eventTypeName, nullable, priority, strict, timestamp } from '../fields.ts';
import { pageFields, pageOf } from '../page.ts';
import { problem } from '../problem.ts';

export const dryPublish = named('DryPublish', Type.Object({ event: publishedEvent }, strict), {
  description: 'An event to try.',
  examples: [{ event: { type: 'order.created', data: { amount: 120 } } }],
});

/** The part of it that is checked against a schema: the event is read as ingress reads events. */
export const dryPublishBody = Type.Object({ event: Type.Unknown() }, strict);

export const dryPublishQuery = Type.Object(pageFields, strict);

export const dryPublishResult = named(
  'DryPublishResult',
  Type.Object({
    accepted: Type.Boolean({
      description: 'True if publishing the event would be answered with 202.',
      examples: [true],
    }),
    error: nullable(problem),
    event_type: nullable(eventTypeName),
    type_registered: nullable(
      Type.Boolean({
        description:
          'False: the type is not in the registry, and would be noted as an automatic one.',
        examples: [true],
      }),
    ),
    priority: nullable(priority),
    judged_at: timestamp('The time of the configuration that was used'),
    ...pageOf('DryPublishPage', endpointExplanation).properties,
  }),
  {
    description:
      'The effect of an event: the answer to the producer, and one page of endpoints, each with the deciding fact. No endpoint is listed for a refused event.',
  },
);
export type DryPublishResult = Static<typeof dryPublishResult>;
