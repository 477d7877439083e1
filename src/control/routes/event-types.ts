import { Type } from 'typebox';
import {
  eventType,
  eventTypeChange,
  eventTypeListQuery,
  eventTypePage,
  eventTypeParams,
  eventTypeSettings,
} from '#wire/api/event-type.ts';
import { preconditionHeaders } from '#wire/api/fields.ts';
import { problemAnswers } from '#wire/api/problem.ts';
import { etagOf } from '#wire/revision.ts';
import { answer } from '#wire/openapi/describe.ts';
import { holds, type Principal } from '#domain/authorization.ts';
import { type Api, principalOf } from './access.ts';
import type { AutomaticView, EventTypes } from '../event-types/registry.ts';
import type { CurrentLives } from '../lives/current-lives.ts';

const tags = ['Event types'];

const REMOVAL =
  'Rejected with 409 while a subscription names the type, or while it is sensitive. Afterwards, its events are treated as events of an unregistered type.';

/** Routes for the registry of event types (CT-4). */
export function registerEventTypeRoutes(
  api: Api,
  { lives, eventTypes }: { lives: CurrentLives; eventTypes: EventTypes },
): void {
  api.put(
    '/v1/event-types/:name',
    {
      config: { access: 'event-types' },
      schema: {
        operationId: 'putEventType',
        summary: 'Register an event type or replace its settings',
        description: 'Omitted settings get their defaults. A new `schema` creates a version.',
        tags,
        params: eventTypeParams,
        headers: preconditionHeaders,
        body: eventTypeSettings,
        response: {
          200: answer(eventType, { description: 'The settings are replaced.', headers: ['etag'] }),
          201: answer(eventType, { description: 'The type is registered.', headers: ['etag'] }),
          ...problemAnswers,
        },
      },
    },
    async (request, reply) => {
      const put = await eventTypes.put(request.params.name, request.body, request.headers);
      reply.code(put.created ? 201 : 200).header('etag', etagOf(put.eventType.revision));
      return put.eventType;
    },
  );
  api.get(
    '/v1/event-types',
    {
      config: { access: 'any-key', visibility: 'applied' },
      schema: {
        operationId: 'listEventTypes',
        summary: 'List event types',
        description: 'Shows every event type without its JSON Schema.',
        tags,
        querystring: eventTypeListQuery,
        response: { 200: eventTypePage, ...problemAnswers },
      },
    },
    async (request) => eventTypes.list(request.query, await viewOf(principalOf(request), lives)),
  );
  api.get(
    '/v1/event-types/:name',
    {
      config: { access: 'any-key', visibility: 'applied' },
      schema: {
        operationId: 'getEventType',
        summary: 'Read an event type with its versions',
        description: 'Shows the current JSON Schema and every earlier version.',
        tags,
        params: eventTypeParams,
        response: {
          200: answer(eventType, { description: 'The event type.', headers: ['etag'] }),
          ...problemAnswers,
        },
      },
    },
    async (request, reply) => {
      const view = await viewOf(principalOf(request), lives);
      const found = await eventTypes.get(request.params.name, view);
      reply.header('etag', etagOf(found.revision));
      return found;
    },
  );
  registerChanges(api, eventTypes);
}

function registerChanges(api: Api, eventTypes: EventTypes): void {
  api.patch(
    '/v1/event-types/:name',
    {
      config: { access: 'event-types' },
      schema: {
        operationId: 'updateEventType',
        summary: 'Change settings of an event type',
        description:
          'Settings that are left out keep their value; null removes a setting. A new `schema` creates a version.',
        tags,
        params: eventTypeParams,
        headers: preconditionHeaders,
        body: eventTypeChange,
        response: {
          200: answer(eventType, {
            description: 'The event type after the change.',
            headers: ['etag'],
          }),
          ...problemAnswers,
        },
      },
    },
    async (request, reply) => {
      const changed = await eventTypes.change(request.params.name, request.body, request.headers);
      reply.header('etag', etagOf(changed.revision));
      return changed;
    },
  );
  api.delete(
    '/v1/event-types/:name',
    {
      config: { access: 'event-types' },
      schema: {
        operationId: 'deleteEventType',
        summary: 'Remove an unused event type',
        description: REMOVAL,
        tags,
        params: eventTypeParams,
        headers: preconditionHeaders,
        response: {
          204: Type.Null({ description: 'The event type is removed.' }),
          ...problemAnswers,
        },
      },
    },
    async (request, reply) => {
      await eventTypes.remove(request.params.name, request.headers);
      return reply.code(204).send(null);
    },
  );
}

/** A key that belongs to a tenant sees the automatic types of that tenant, and none of others. */
async function viewOf(principal: Principal, lives: CurrentLives): Promise<AutomaticView> {
  const { scope, tenant, eventTypes: visible } = principal;
  if (scope === 'platform') return { of: holds(principal, 'view') ? 'all' : 'none', visible };
  const lifeId = tenant === undefined ? undefined : await lives.find(tenant);
  return lifeId === undefined ? { of: 'none', visible } : { of: 'tenant', tenant: lifeId, visible };
}
