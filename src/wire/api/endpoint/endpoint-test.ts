/** Schemas of test webhooks. */
import { type Static, Type } from 'typebox';
import { named } from '#wire/openapi/describe.ts';
import { attempt } from '../delivery.ts';
import { eventId, eventTypeName, strict } from '../fields.ts';

/** The event type of a test without a type of its own. */
export const TEST_EVENT_TYPE = 'posthorn.test';

const data = {
  description:
    'Sent as `data`, as the bytes of the request. It is not checked against a schema. Absent: the first sample of the event type, or a text.',
  examples: [{ amount: 12.5 }],
};

export const endpointTest = named(
  'EndpointTest',
  Type.Object(
    {
      event_type: Type.Optional({ ...eventTypeName, default: TEST_EVENT_TYPE }),
      data: Type.Optional(Type.Unknown(data)),
    },
    strict,
  ),
  {
    description: 'The event of a test webhook.',
    examples: [{ event_type: 'order.created', data: { amount: 12.5 } }],
  },
);

export const endpointTestResult = named(
  'EndpointTestResult',
  Type.Object({
    event_id: eventId,
    event_type: eventTypeName,
    status: named(
      'EndpointTestStatus',
      Type.Enum(['delivered', 'failed'] as const, {
        description: '`delivered`: the receiver answered with a 2xx status.',
      }),
    ),
    attempt,
  }),
  { description: 'What the receiver answered to a test webhook.' },
);
export type EndpointTestResult = Static<typeof endpointTestResult>;
