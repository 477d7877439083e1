import { Type } from 'typebox';
import { LEAF } from '#domain/json/json-outline.ts';
import type { JsonMember } from '#infra/http/server/body/parse-json-bodies.ts';
import { endpointParams } from '#wire/api/endpoint/endpoint.ts';
import { endpointTest, endpointTestResult } from '#wire/api/endpoint/endpoint-test.ts';
import { verificationResult } from '#wire/api/endpoint/endpoint-verification.ts';
import { preconditionHeaders } from '#wire/api/fields.ts';
import { problemAnswers } from '#wire/api/problem.ts';
import { type Api, principalOf } from '../routes/access.ts';
import type { TestSends } from './test-sends.ts';
import type { Verifications } from './verifications.ts';

const tags = ['Endpoints'];
const item = '/v1/tenants/:tenant/endpoints/:endpoint';

/** Routes that make a worker send a request to an endpoint now (CT-2). */
export function registerEndpointRequestRoutes(
  api: Api,
  parts: { testSends: TestSends; verifications: Verifications },
): void {
  api.post(
    `${item}/test`,
    {
      config: {
        access: 'send-test',
        visibility: 'none',
        unparsedMember: { name: 'data', wanted: LEAF },
      },
      schema: {
        operationId: 'testEndpoint',
        summary: 'Send a test webhook',
        description:
          'Sends one webhook now, with the format, headers, credentials and signatures of the endpoint and with `posthorn-test: true`, and answers with the result, ' +
          'after 15 s at most. It is sent also if the endpoint is not active. It is not stored, not repeated, and does not count for the health or the limits of the endpoint.',
        tags,
        params: endpointParams,
        headers: preconditionHeaders,
        body: Type.Union([endpointTest, Type.Null()]),
        response: { 200: endpointTestResult, ...problemAnswers },
      },
      preValidation: (request, _reply, done) => {
        // An empty request is valid: the default type and its sample.
        request.body ??= {};
        done();
      },
    },
    (request) => {
      const { params, body, headers, id } = request;
      const { event_type, data } = body ?? {};
      const { eventTypes: visible } = principalOf(request);
      const test = { event_type, data: data as JsonMember | undefined, visible };
      return parts.testSends.send([params.tenant, params.endpoint], test, headers, id);
    },
  );
  api.post(
    `${item}/verify`,
    {
      config: { access: 'manage', visibility: 'none' },
      schema: {
        operationId: 'verifyEndpoint',
        summary: 'Verify an endpoint',
        description:
          'Asks the receiver, by the method that the endpoint was created with, whether it agrees to get webhooks. If it does, the endpoint becomes active. Can be repeated.',
        tags,
        params: endpointParams,
        headers: preconditionHeaders,
        response: { 200: verificationResult, ...problemAnswers },
      },
    },
    ({ params: { tenant, endpoint }, headers, id }) =>
      parts.verifications.verify({ tenant, id: endpoint, preconditions: headers }, id),
  );
}
