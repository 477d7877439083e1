import { Type } from 'typebox';
import {
  type CreatedEndpoint,
  createdEndpoint,
  endpoint,
  endpointChange,
  endpointListQuery,
  endpointPage,
  endpointParams,
  endpointWithHealth,
  newEndpoint,
  newEndpointOfKind,
  newPollEndpoint,
  rotatedSecret,
  secretRotation,
} from '#wire/api/endpoint/endpoint.ts';
import { preconditionHeaders } from '#wire/api/fields.ts';
import { problemAnswers } from '#wire/api/problem.ts';
import { tenantParams } from '#wire/api/tenant.ts';
import { etagOf } from '#wire/revision.ts';
import { answer } from '#wire/openapi/describe.ts';
import { type Api, principalOf } from './access.ts';
import { answerChange } from '../idempotency/change-claim.ts';
import type { Endpoints } from '../resources/endpoints.ts';

const tags = ['Endpoints'];
const collection = '/v1/tenants/:tenant/endpoints';
const item = `${collection}/:endpoint`;

/** Routes for endpoints and their secrets (CT-2). */
export function registerEndpointRoutes(api: Api, endpoints: Endpoints): void {
  api.post(
    collection,
    {
      config: { access: 'manage', visibility: 'subscribes' },
      schema: {
        operationId: 'createEndpoint',
        summary: 'Create an endpoint',
        description:
          'Without `event_types`, the endpoint gets every event of the tenant. The answer contains the signing secret, which is not shown again.',
        tags,
        params: tenantParams,
        body: newEndpointOfKind,
        bodies: { 'application/json': Type.Union([newEndpoint, newPollEndpoint]) },
        response: {
          201: answer(createdEndpoint, {
            description: 'The endpoint is created.',
            headers: ['etag', 'location'],
          }),
          ...problemAnswers,
        },
      },
      preValidation: (request, _reply, done) => {
        const body: unknown = request.body;
        if (typeof body === 'object' && body !== null && !('kind' in body)) {
          Object.assign(body, { kind: 'webhook' });
        }
        done();
      },
    },
    (request, reply) => {
      const { tenant } = request.params;
      const head = ({ id, revision }: CreatedEndpoint) => ({
        status: 201,
        headers: { etag: etagOf(revision), location: `/v1/tenants/${tenant}/endpoints/${id}` },
      });
      return answerChange([request, reply], head, (claim) =>
        endpoints.create(tenant, request.body, principalOf(request).scope === 'platform', claim),
      );
    },
  );
  api.get(
    collection,
    {
      config: { access: 'read', visibility: 'none' },
      schema: {
        operationId: 'listEndpoints',
        summary: "List a tenant's endpoints",
        description: 'Shows every endpoint without its secrets and header values.',
        tags,
        params: tenantParams,
        querystring: endpointListQuery,
        response: { 200: endpointPage, ...problemAnswers },
      },
    },
    (request) => endpoints.list(request.params.tenant, request.query),
  );
  registerItemRoutes(api, endpoints);
  api.post(
    `${item}/rotate-secret`,
    {
      config: { access: 'manage', visibility: 'none' },
      schema: {
        operationId: 'rotateEndpointSecret',
        summary: 'Rotate the signing secret',
        description:
          'Without `secret`, a new one is generated with the present algorithm: HMAC or ed25519. Previous secrets keep signing alongside the new one until the overlap ends.',
        tags,
        params: endpointParams,
        headers: preconditionHeaders,
        body: Type.Union([secretRotation, Type.Null()]),
        response: { 200: rotatedSecret, ...problemAnswers },
      },
      preValidation: (request, _reply, done) => {
        // An empty request is valid: a generated secret and the default overlap.
        request.body ??= {};
        done();
      },
    },
    (request, reply) => {
      const { tenant, endpoint: id } = request.params;
      return answerChange(
        [request, reply],
        () => ({ status: 200 }),
        (claim) => endpoints.rotateSecret(tenant, id, request.body ?? {}, request.headers, claim),
      );
    },
  );
}

function registerItemRoutes(api: Api, endpoints: Endpoints): void {
  api.get(
    item,
    {
      config: { access: 'read', visibility: 'none' },
      schema: {
        operationId: 'getEndpoint',
        summary: 'Read an endpoint with its health',
        description:
          'Shows policies, credentials without their secrets, and the health from recent attempts.',
        tags,
        params: endpointParams,
        response: {
          200: answer(endpointWithHealth, { description: 'The endpoint.', headers: ['etag'] }),
          ...problemAnswers,
        },
      },
    },
    async (request, reply) => {
      const found = await endpoints.get(request.params.tenant, request.params.endpoint);
      reply.header('etag', etagOf(found.revision));
      return found;
    },
  );
  api.patch(
    item,
    {
      config: { access: 'manage', visibility: 'subscribes' },
      schema: {
        operationId: 'updateEndpoint',
        summary: 'Change an endpoint',
        description: 'Fields that are left out keep their value.',
        tags,
        params: endpointParams,
        headers: preconditionHeaders,
        body: endpointChange,
        response: {
          200: answer(endpoint, {
            description: 'The endpoint after the change.',
            headers: ['etag'],
          }),
          ...problemAnswers,
        },
      },
    },
    async (request, reply) => {
      const { tenant, endpoint: id } = request.params;
      const changed = await endpoints.change(tenant, id, request.body, request.headers);
      reply.header('etag', etagOf(changed.revision));
      return changed;
    },
  );
  api.delete(
    item,
    {
      config: { access: 'manage', visibility: 'none' },
      schema: {
        operationId: 'deleteEndpoint',
        summary: 'Delete an endpoint with its subscriptions',
        description: 'Waiting deliveries to the endpoint are cancelled. Its history is kept.',
        tags,
        params: endpointParams,
        headers: preconditionHeaders,
        response: {
          204: Type.Null({ description: 'The endpoint is deleted.' }),
          ...problemAnswers,
        },
      },
    },
    async (request, reply) => {
      const { tenant, endpoint: id } = request.params;
      await endpoints.remove(tenant, id, request.headers);
      return reply.code(204).send(null);
    },
  );
}
