import { Type } from 'typebox';
import {
  apiKey,
  apiKeyChange,
  apiKeyListQuery,
  apiKeyPage,
  apiKeyParams,
  apiKeyRotation,
  createdApiKey,
  newApiKey,
} from '#wire/api/api-key.ts';
import { problemAnswers, problems } from '#wire/api/problem.ts';
import { preconditionHeaders } from '#wire/api/fields.ts';
import { answer } from '#wire/openapi/describe.ts';
import { etagOf } from '#wire/revision.ts';
import { type Api, principalOf } from '../routes/access.ts';
import { answerChange } from '../idempotency/change-claim.ts';
import type { ApiKeys } from './api-keys.ts';

const tags = ['API keys'];

/** API keys (CT-8). */
export function registerApiKeyRoutes(api: Api, apiKeys: ApiKeys): void {
  api.post(
    '/v1/keys',
    {
      config: { access: 'keys' },
      schema: {
        operationId: 'createKey',
        summary: 'Create an API key',
        description:
          'The answer contains the key. It is not shown again. A caller can grant only capabilities that it has.',
        tags,
        body: newApiKey,
        response: { 201: createdApiKey, ...problemAnswers, ...problems(404) },
      },
    },
    (request, reply) =>
      answerChange(
        [request, reply],
        () => ({ status: 201 }),
        (claim) => apiKeys.create(request.body, principalOf(request), claim),
      ),
  );
  api.get(
    '/v1/keys',
    {
      config: { access: 'keys' },
      schema: {
        operationId: 'listKeys',
        summary: 'List API keys',
        description: 'Shows every key without its secret, including revoked and expired keys.',
        tags,
        querystring: apiKeyListQuery,
        response: { 200: apiKeyPage, ...problemAnswers },
      },
    },
    (request) => apiKeys.list(request.query),
  );
  registerItemRoutes(api, apiKeys);
  registerEndingRoutes(api, apiKeys);
}

function registerItemRoutes(api: Api, apiKeys: ApiKeys): void {
  api.get(
    '/v1/keys/:key',
    {
      config: { access: 'keys' },
      schema: {
        operationId: 'getKey',
        summary: 'Read an API key, without its secret',
        description: 'Shows what the key may do, when it expires, and when it was last used.',
        tags,
        params: apiKeyParams,
        response: {
          200: answer(apiKey, { description: 'The API key.', headers: ['etag'] }),
          ...problemAnswers,
        },
      },
    },
    async (request, reply) => {
      const found = await apiKeys.get(request.params.key);
      reply.header('etag', etagOf(found.revision));
      return found;
    },
  );
  api.patch(
    '/v1/keys/:key',
    {
      config: { access: 'keys' },
      schema: {
        operationId: 'updateKey',
        summary: 'Change the name, capabilities or expiry of an API key',
        description:
          'In force within a second. A key that has expired or was revoked cannot be changed: the answer is 409.',
        tags,
        params: apiKeyParams,
        headers: preconditionHeaders,
        body: apiKeyChange,
        response: {
          200: answer(apiKey, { description: 'The key after the change.', headers: ['etag'] }),
          ...problemAnswers,
        },
      },
    },
    async (request, reply) => {
      const caller = principalOf(request);
      const { params, body, headers } = request;
      const changed = await apiKeys.change(params.key, body, caller, headers);
      reply.header('etag', etagOf(changed.revision));
      return changed;
    },
  );
}

function registerEndingRoutes(api: Api, apiKeys: ApiKeys): void {
  api.post(
    '/v1/keys/:key/rotate',
    {
      config: { access: 'keys' },
      schema: {
        operationId: 'rotateKey',
        summary: 'Replace an API key by a new one',
        description:
          'Creates a key with the same settings under an id of its own. The old key stays valid for `overlap_seconds`, so that callers can change over one by one; `last_used_at` shows whether one still uses it.',
        tags,
        params: apiKeyParams,
        headers: preconditionHeaders,
        body: Type.Union([apiKeyRotation, Type.Null()]),
        response: { 201: createdApiKey, ...problemAnswers },
      },
      preValidation: (request, _reply, done) => {
        // An empty request is valid: the default overlap.
        request.body ??= {};
        done();
      },
    },
    (request, reply) => {
      const caller = principalOf(request);
      const { params, body, headers } = request;
      return answerChange(
        [request, reply],
        () => ({ status: 201 }),
        (claim) => apiKeys.rotate(params.key, body ?? {}, { caller, headers }, claim),
      );
    },
  );
  api.delete(
    '/v1/keys/:key',
    {
      config: { access: 'keys' },
      schema: {
        operationId: 'revokeKey',
        summary: 'Revoke an API key',
        description:
          'Requests with the key are rejected within a second. A revoked key stays in the list.',
        tags,
        params: apiKeyParams,
        headers: preconditionHeaders,
        response: { 204: Type.Null({ description: 'The key is revoked.' }), ...problemAnswers },
      },
    },
    async (request, reply) => {
      await apiKeys.revoke(request.params.key, request.headers);
      return reply.code(204).send(null);
    },
  );
}
