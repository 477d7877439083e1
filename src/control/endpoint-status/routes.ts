import { Type } from 'typebox';
import { endpoint, endpointParams, type EndpointResource } from '#wire/api/endpoint/endpoint.ts';
import { newPause } from '#wire/api/endpoint/endpoint-pause.ts';
import { preconditionHeaders } from '#wire/api/fields.ts';
import { problemAnswers } from '#wire/api/problem.ts';
import { answer } from '#wire/openapi/describe.ts';
import { etagOf } from '#wire/revision.ts';
import { type AnswerHead, answerChange } from '../idempotency/change-claim.ts';
import type { Api } from '../routes/access.ts';
import type { Pauses } from './pauses.ts';

const tags = ['Endpoints'];
const item = '/v1/tenants/:tenant/endpoints/:endpoint';

/** Routes that pause and resume endpoints (CT-2). */
export function registerEndpointStatusRoutes(api: Api, { pauses }: { pauses: Pauses }): void {
  api.post(
    `${item}/pause`,
    {
      config: { access: 'manage', visibility: 'none' },
      schema: {
        operationId: 'pauseEndpoint',
        summary: 'Pause an endpoint',
        description:
          'Deliveries are held while the endpoint is paused. With `ends_at` it resumes by itself, within about a second of that time. A paused endpoint gets the new reason and end.',
        tags,
        params: endpointParams,
        headers: preconditionHeaders,
        body: Type.Union([newPause, Type.Null()]),
        response: {
          200: answer(endpoint, { description: 'The paused endpoint.', headers: ['etag'] }),
          ...problemAnswers,
        },
      },
      preValidation: (request, _reply, done) => {
        // An empty request is valid: no reason and no end.
        request.body ??= {};
        done();
      },
    },
    (request, reply) => {
      const { tenant, endpoint: id } = request.params;
      const paused = { tenant, id, preconditions: request.headers };
      return answerChange([request, reply], headOf, (claim) =>
        pauses.pause(paused, request.body ?? {}, claim),
      );
    },
  );
  api.post(
    `${item}/resume`,
    {
      config: { access: 'manage', visibility: 'none' },
      schema: {
        operationId: 'resumeEndpoint',
        summary: 'Resume a paused endpoint',
        description: 'Held deliveries are released. An active endpoint stays as it is.',
        tags,
        params: endpointParams,
        headers: preconditionHeaders,
        response: {
          200: answer(endpoint, { description: 'The active endpoint.', headers: ['etag'] }),
          ...problemAnswers,
        },
      },
    },
    (request, reply) => {
      const { tenant, endpoint: id } = request.params;
      const resumed = { tenant, id, preconditions: request.headers };
      return answerChange([request, reply], headOf, (claim) => pauses.resume(resumed, claim));
    },
  );
}

/** Status and header fields of an answer with an endpoint. */
export function headOf({ revision }: EndpointResource): AnswerHead {
  return { status: 200, headers: { etag: etagOf(revision) } };
}
