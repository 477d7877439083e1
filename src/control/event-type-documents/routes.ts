import { Type } from 'typebox';
import {
  eventTypeExportParams,
  eventTypeExportQuery,
  eventTypeImport,
  eventTypeImportParams,
  exportedDocument,
  newEventTypeImport,
} from '#wire/api/event-types/imports.ts';
import { problemAnswers } from '#wire/api/problem.ts';
import { answer } from '#wire/openapi/describe.ts';
import { type Api, principalOf } from '../routes/access.ts';
import type { EventTypeExports } from './exports.ts';
import type { EventTypeImports } from './imports.ts';

const tags = ['Event types'];

export interface EventTypeDocumentParts {
  eventTypeImports: EventTypeImports;
  eventTypeExports: EventTypeExports;
}

/** Routes that import and export event types (CT-4). */
export function registerEventTypeDocumentRoutes(api: Api, parts: EventTypeDocumentParts): void {
  registerImports(api, parts);
  registerExports(api, parts);
}

function registerImports(api: Api, { eventTypeImports: imports }: EventTypeDocumentParts): void {
  api.post(
    '/v1/event-type-imports',
    {
      config: { access: 'event-types' },
      schema: {
        operationId: 'createEventTypeImport',
        summary: 'Plan an import of event types',
        description:
          'Reads the event types of a document and answers with what applying it would do to each. Changes nothing. Parts that the schemas refer to are taken along.',
        tags,
        body: newEventTypeImport,
        response: {
          201: answer(eventTypeImport, { description: 'The plan.', headers: ['location'] }),
          ...problemAnswers,
        },
      },
    },
    async (request, reply) => {
      const planned = await imports.plan(request.body);
      reply.code(201).header('location', `/v1/event-type-imports/${planned.id}`);
      return planned;
    },
  );
  api.get(
    '/v1/event-type-imports/:import',
    {
      config: { access: 'event-types' },
      schema: {
        operationId: 'getEventTypeImport',
        summary: 'Read an import of event types',
        description: 'Shows the plan, and its result once it was applied. It is kept for 24 hours.',
        tags,
        params: eventTypeImportParams,
        response: { 200: eventTypeImport, ...problemAnswers },
      },
    },
    ({ params }) => imports.get(params.import),
  );
  api.post(
    '/v1/event-type-imports/:import/apply',
    {
      config: { access: 'event-types' },
      schema: {
        operationId: 'applyEventTypeImport',
        summary: 'Apply an import of event types',
        description:
          'Creates and changes the event types as planned. One that has changed since stays as it is. Applied again, it answers with the first result.',
        tags,
        params: eventTypeImportParams,
        response: { 200: eventTypeImport, ...problemAnswers },
      },
    },
    ({ params }) => imports.apply(params.import),
  );
}

function registerExports(api: Api, { eventTypeExports: exports }: EventTypeDocumentParts): void {
  api.get(
    '/v1/event-type-exports/typescript',
    {
      config: { access: 'any-key' },
      schema: {
        operationId: 'exportEventTypesAsTypescript',
        summary: 'Export event types as TypeScript',
        description: 'A module with a type for the `data` of each registered event type.',
        tags,
        querystring: eventTypeExportQuery,
        response: {
          200: answer(
            Type.String({
              description: 'The module.',
              examples: [
                "export interface EventTypes {\n  'order.created': { amount: number };\n}\n",
              ],
            }),
            {
              description: 'The module.',
              mediaType: 'text/plain',
            },
          ),
          ...problemAnswers,
        },
      },
    },
    async (request, reply) => {
      const text = await exports.typeScript(request.query.event_type, principalOf(request));
      reply.header('content-type', 'text/plain; charset=utf-8');
      return text;
    },
  );
  api.get(
    '/v1/event-type-exports/:format',
    {
      config: { access: 'any-key' },
      schema: {
        operationId: 'exportEventTypes',
        summary: 'Export event types as a document',
        description:
          'The newest schemas of the registered event types. An import of the document changes nothing.',
        tags,
        params: eventTypeExportParams,
        querystring: eventTypeExportQuery,
        response: { 200: exportedDocument, ...problemAnswers },
      },
    },
    (request) => {
      const { params, query } = request;
      return exports.document(params.format, query.event_type, principalOf(request));
    },
  );
}
