/**
 * Schemas of the routes for producers. `ingress/` reads the bodies itself, because it keeps their
 * bytes.
 */
import { Type } from 'typebox';
import { EVENT_ID_PATTERN, EVENT_TEXT_PATTERN } from '#domain/event/event-id.ts';
import { limits } from '#domain/limits.ts';
import { answer, named } from '#wire/openapi/describe.ts';
import { cloudEvent, cloudEventBatch, cloudEventHeaders } from '#wire/openapi/cloud-event.ts';
import {
  eventDataSchema,
  eventId,
  eventSource,
  eventSubject,
  eventTypeName,
  priority,
  strict,
  tenantId,
  timestamp,
} from './fields.ts';
import { problem, problemAnswers } from './problem.ts';

const params = Type.Object({ tenant: tenantId }, strict);

const idempotencyKey = {
  'idempotency-key': Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: limits.idempotencyKeyLengthMax,
      description: 'Identifies an event that has no id of its own.',
      examples: ['order-42-created'],
    }),
  ),
};

const plainEvent = named(
  'PlainEvent',
  Type.Object(
    {
      type: eventTypeName,
      data: Type.Optional(
        Type.Unknown({
          description: 'Delivered as the bytes that were sent. Absent: the event has no data.',
          examples: [{ amount: 12.5 }],
        }),
      ),
      id: Type.Optional(
        Type.String({
          minLength: 1,
          maxLength: limits.eventIdLengthMax,
          pattern: EVENT_ID_PATTERN,
          description:
            'Chosen by the producer. Repeating a request with the same id does not deliver the event twice.',
          examples: ['order-42-created'],
        }),
      ),
      source: Type.Optional(
        Type.String({
          ...eventSource,
          pattern: EVENT_TEXT_PATTERN,
          minLength: 1,
          maxLength: limits.eventSourceLengthMax,
        }),
      ),
      time: Type.Optional(timestamp('When the event happened. Absent: the time of acceptance')),
      subject: Type.Optional(
        Type.String({
          ...eventSubject,
          pattern: EVENT_TEXT_PATTERN,
          minLength: 1,
          maxLength: limits.eventSubjectLengthMax,
        }),
      ),
      dataschema: Type.Optional(
        Type.String({
          ...eventDataSchema,
          pattern: EVENT_TEXT_PATTERN,
          minLength: 1,
          maxLength: limits.eventSourceLengthMax,
        }),
      ),
      priority: Type.Optional(priority),
    },
    strict,
  ),
  {
    description: 'An event in the plain format.',
    examples: [{ type: 'order.created', id: 'order-42-created', data: { amount: 12.5 } }],
  },
);

export const publishedEvent = named('PublishedEvent', Type.Union([plainEvent, cloudEvent]), {
  description: 'An event in the plain format, or a CloudEvent.',
});

const eventBatch = named(
  'EventBatch',
  Type.Object({ events: Type.Array(publishedEvent, { maxItems: limits.batchEventsMax }) }, strict),
  {
    description: 'Events to publish together.',
    examples: [
      {
        events: [
          { type: 'order.created', data: { amount: 12.5 } },
          { type: 'order.paid', data: { amount: 12.5 } },
        ],
      },
    ],
  },
);

const deduplicated = Type.Optional(
  Type.Literal(true, {
    description:
      'True if the event equals an earlier one by the de-duplication rule of its type; `id` is the id of that event.',
  }),
);

const accepted = named(
  'AcceptedEvent',
  Type.Object({ id: eventId, status: Type.Literal('accepted'), deduplicated }),
  {
    description: 'The event is stored.',
    examples: [{ id: 'order-42-created', status: 'accepted' }],
  },
);

const batchResult = named(
  'BatchResult',
  Type.Object({
    accepted: Type.Integer({ description: 'Number of stored events.', examples: [1] }),
    refused: Type.Integer({ description: 'Number of rejected events.', examples: [0] }),
    results: Type.Array(
      named(
        'BatchItemResult',
        Type.Object({
          status: Type.Integer({
            description: 'HTTP status of this event alone.',
            examples: [202],
          }),
          id: Type.Optional(eventId),
          replayed: Type.Optional(
            Type.Boolean({
              description: 'True if the event had been stored before.',
              examples: [false],
            }),
          ),
          deduplicated,
          error: Type.Optional(problem),
        }),
        {
          description: 'Result for one event.',
          examples: [{ status: 202, id: 'order-42-created', replayed: false }],
        },
      ),
    ),
  }),
  { description: 'The result for each event, in the order of the batch.' },
);

const batchAnswers = {
  202: answer(batchResult, { description: 'Every event is stored.' }),
  207: answer(batchResult, {
    description:
      'Some events are stored, others are not: `results` has one entry for each event, in order.',
  }),
  503: answer(batchResult, {
    description:
      'No event was stored: `results` says why. If the request itself was rejected, the body is a problem.',
    headers: ['retry-after'],
  }),
};

const binaryData = Type.String({
  format: 'binary',
  description: 'The `data` of a CloudEvent in binary mode: its attributes are `ce-` headers.',
  examples: ['{"amount":12.5}'],
});

const oneOrBatch = {
  headers: Type.Object({ ...idempotencyKey, ...cloudEventHeaders }),
  bodies: {
    'application/json': publishedEvent,
    'application/cloudevents+json': cloudEvent,
    'application/cloudevents-batch+json': cloudEventBatch,
    '*/*': binaryData,
    // Any media type is accepted; generators need one to send.
    'application/octet-stream': binaryData,
  },
  response: {
    ...batchAnswers,
    202: answer(Type.Union([accepted, batchResult]), {
      description: 'Stored: one event, or every event of a batch of CloudEvents.',
    }),
    ...problemAnswers,
  },
};

const batch = {
  headers: Type.Object(idempotencyKey),
  bodies: { 'application/json': eventBatch },
  response: { ...batchAnswers, ...problemAnswers },
};

/** The routes for producers, by path. */
export const publishRoutes = {
  '/v1/tenants/:tenant/events': {
    operationId: 'publishEvent',
    summary: 'Publish an event to a tenant',
    description:
      'Answers 202 once the event is stored. Accepts plain JSON, and CloudEvents 1.0 in structured, batched and binary mode.',
    tags: ['Events'],
    params,
    ...oneOrBatch,
  },
  '/v1/tenants/:tenant/events/batch': {
    operationId: 'publishEvents',
    summary: 'Publish up to 1,000 events to a tenant',
    description:
      'Valid events are stored even if others are rejected. Each event has its own result.',
    tags: ['Events'],
    params,
    ...batch,
  },
  '/v1/events': {
    operationId: 'publishBroadcast',
    summary: 'Publish an event to every tenant with an approved subscription that matches',
    description:
      'Answers 202 once the event is stored. Its copies are delivered afterwards, with lower priority than events to single tenants. Accepts the same formats as an event to a tenant. Requires a platform key, or a producer key that is not bound to a tenant.',
    tags: ['Broadcasts'],
    ...oneOrBatch,
  },
  '/v1/events/batch': {
    operationId: 'publishBroadcasts',
    summary: 'Publish up to 1,000 events to every tenant',
    description:
      'Valid events are stored even if others are rejected. Each event has its own result.',
    tags: ['Broadcasts'],
    ...batch,
  },
} as const;
