/** Schemas of the live tail: the filters of the lists, and the stream. */
import { type Static, type TProperties, Type } from 'typebox';
import { limits } from '#domain/limits.ts';
import { answer } from '#wire/openapi/describe.ts';
import {
  eventId,
  eventSource,
  eventSubject,
  eventTypeName,
  resourceId,
  strict,
} from '../fields.ts';
import { attemptFailure, deliveryStatus } from '../delivery.ts';
import { eventStatus } from '../event.ts';
import { filterBy } from '../page.ts';
import { attemptStatus } from '../search/attempt-list.ts';
import { responseStatusFields, tenantField } from '../search/search-fields.ts';

const endpointId = resourceId('an endpoint', 'ep');
const eventFilters = {
  id: filterBy(eventId),
  event_type: filterBy(eventTypeName),
  status: filterBy(eventStatus),
  source: filterBy(eventSource),
  subject: filterBy(eventSubject),
  producer_id: filterBy(
    Type.String({ minLength: 1, maxLength: limits.eventIdLengthMax, examples: ['order-7'] }),
  ),
  correlation_id: filterBy(Type.String({ minLength: 1, maxLength: 128, examples: ['req-7'] })),
};

const deliveryFilters = {
  event_id: filterBy(eventId),
  event_type: filterBy(eventTypeName),
  endpoint_id: filterBy(endpointId),
  status: filterBy(deliveryStatus),
  reason: filterBy(Type.String({ minLength: 1, maxLength: 64, examples: ['exhausted'] })),
  replay_of: filterBy(resourceId('the delivery that this one sends again', 'dlv')),
  replay_id: filterBy(resourceId('the replay that created the delivery', 'rpl')),
  failure: filterBy(attemptFailure),
  ...responseStatusFields,
};

const attemptFilters = {
  delivery_id: filterBy(resourceId('a delivery', 'dlv')),
  event_id: filterBy(eventId),
  event_type: filterBy(eventTypeName),
  endpoint_id: filterBy(endpointId),
  status: filterBy(attemptStatus),
  failure: filterBy(attemptFailure),
  ...responseStatusFields,
};

const ofTenant = <T extends TProperties>(filters: T) => Type.Object(filters, strict);
const ofAll = <T extends TProperties>(filters: T) =>
  Type.Object({ ...filters, ...tenantField }, strict);

/** The query of each stream: of one tenant, and of all. */
export const tailQueries = {
  event: { ofTenant: ofTenant(eventFilters), ofAll: ofAll(eventFilters) },
  delivery: { ofTenant: ofTenant(deliveryFilters), ofAll: ofAll(deliveryFilters) },
  attempt: { ofTenant: ofTenant(attemptFilters), ofAll: ofAll(attemptFilters) },
} as const;

export const tailHeaders = Type.Object({
  'last-event-id': Type.Optional(
    Type.String({
      maxLength: 1024,
      description:
        'Id of the last message that was received: the stream continues after it. A browser sends it by itself.',
      examples: ['1-3f.a1'],
    }),
  ),
});
export type TailHeaders = Static<typeof tailHeaders>;

/** @param example a message of the stream */
export const tailAnswer = (example: string) =>
  answer(Type.String({ examples: [example] }), {
    description: 'A stream of server-sent events, which does not end by itself.',
    mediaType: 'text/event-stream',
  });
