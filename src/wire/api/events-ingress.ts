/** How the producers' routes look from outside. Their bodies are read by `ingress/`, which keeps their bytes. */
import { Type } from 'typebox';
import { EVENT_TYPE_PATTERN } from '#domain/event-type.ts';
import { priorities } from '#domain/priority.ts';
import { limits } from '#domain/limits.ts';
import { TENANT_ID_PATTERN } from '#domain/tenant.ts';

const params = Type.Object({ tenant: Type.String({ pattern: TENANT_ID_PATTERN }) });

const headers = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      maxLength: limits.idempotencyKeyLengthMax,
      description: 'Stands for an id where the event has none.',
    }),
  ),
});

const event = Type.Object(
  {
    type: Type.String({ pattern: EVENT_TYPE_PATTERN, examples: ['order.created'] }),
    data: Type.Optional(Type.Unknown({ description: 'Travels as the bytes that were sent.' })),
    id: Type.Optional(
      Type.String({
        maxLength: limits.eventIdLengthMax,
        description: 'Chosen by the caller: the same id is never delivered twice.',
      }),
    ),
    source: Type.Optional(Type.String({ maxLength: limits.eventSourceLengthMax })),
    time: Type.Optional(Type.String({ format: 'date-time' })),
    subject: Type.Optional(Type.String({ maxLength: limits.eventSubjectLengthMax })),
    dataschema: Type.Optional(Type.String({ maxLength: limits.eventSourceLengthMax })),
    priority: Type.Optional(
      Type.Enum(priorities, {
        description: '`high` overtakes the backlog of its tenant. Absent: that of the event type.',
      }),
    ),
  },
  { additionalProperties: false },
);

const deduplicated = Type.Optional(
  Type.Literal(true, {
    description: 'Equal to an event that came before, by the formula of its type: `id` is its id.',
  }),
);

const accepted = Type.Object(
  { id: Type.String(), status: Type.Literal('accepted'), deduplicated },
  { description: 'The event is stored.' },
);

const problem = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    code: Type.String(),
    detail: Type.Optional(Type.String()),
  },
  { description: 'Problem details (RFC 9457)' },
);

const batchResult = Type.Object({
  accepted: Type.Integer(),
  refused: Type.Integer(),
  results: Type.Array(
    Type.Object({
      status: Type.Integer(),
      id: Type.Optional(Type.String()),
      replayed: Type.Optional(Type.Boolean()),
      deduplicated,
      error: Type.Optional(problem),
    }),
  ),
});

export const publishSchema = {
  operationId: 'publishEvent',
  summary: 'Publish an event to a tenant',
  description:
    'Answers 202 once the event is stored. Takes plain JSON, and CloudEvents 1.0 in structured, batched and binary mode.',
  tags: ['Events'],
  params,
  headers,
  body: event,
  response: { 202: accepted, '4xx': problem, 503: problem },
};

export const broadcastSchema = {
  operationId: 'publishBroadcast',
  summary: 'Publish an event to every tenant with an approved subscription that matches',
  description:
    'Answers 202 once the event is stored; its copies go out afterwards, behind what is sent to single tenants. Takes the same forms as an event to a tenant. For platform keys and producer keys bound to no tenant.',
  tags: ['Broadcasts'],
  headers,
  body: event,
  response: { 202: accepted, '4xx': problem, 503: problem },
};

export const broadcastBatchSchema = {
  operationId: 'publishBroadcasts',
  summary: 'Publish up to 1,000 events to every tenant',
  description: 'Valid events are stored although others are refused; each has its own result.',
  tags: ['Broadcasts'],
  body: Type.Object({
    events: Type.Array(event, { minItems: 1, maxItems: limits.batchEventsMax }),
  }),
  response: { 202: batchResult, 207: batchResult, '4xx': problem, 503: batchResult },
};

export const publishBatchSchema = {
  operationId: 'publishEvents',
  summary: 'Publish up to 1,000 events to a tenant',
  description: 'Valid events are stored although others are refused; each has its own result.',
  tags: ['Events'],
  params,
  body: Type.Object({
    events: Type.Array(event, { minItems: 1, maxItems: limits.batchEventsMax }),
  }),
  response: { 202: batchResult, 207: batchResult, '4xx': problem, 503: batchResult },
};
