import { Type } from 'typebox';
import {
  apiKeyListQuery,
  apiKeyPage,
  apiKeyParams,
  createdApiKey,
  newApiKey,
} from '#wire/api/api-key.ts';
import { problemAnswers, problems } from '#wire/api/problem.ts';
import type { Api } from './access.ts';
import { answerChange } from '../idempotency/change-claim.ts';
import type { ApiKeys } from '../resources/api-keys.ts';

const tags = ['API keys'];

/** API keys (CT-8). */
export function registerApiKeyRoutes(api: Api, apiKeys: ApiKeys): void {
  api.post(
    '/v1/keys',
    {
      config: { access: 'platform' },
      schema: {
        operationId: 'createKey',
        summary: 'Create an API key',
        description: 'The answer contains the key. It is not shown again.',
        tags,
        body: newApiKey,
        response: { 201: createdApiKey, ...problemAnswers, ...problems(404) },
      },
    },
    (request, reply) =>
      answerChange(
        [request, reply],
        () => ({ status: 201 }),
        (claim) => apiKeys.create(request.body, claim),
      ),
  );
  api.get(
    '/v1/keys',
    {
      config: { access: 'platform' },
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
  api.delete(
    '/v1/keys/:key',
    {
      config: { access: 'platform' },
      schema: {
        operationId: 'revokeKey',
        summary: 'Revoke an API key',
        description:
          'Requests with the key are rejected within a second. A revoked key stays in the list.',
        tags,
        params: apiKeyParams,
        response: { 204: Type.Null({ description: 'The key is revoked.' }), ...problemAnswers },
      },
    },
    async (request, reply) => {
      await apiKeys.revoke(request.params.key);
      return reply.code(204).send(null);
    },
  );
}
