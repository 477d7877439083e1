import { endpointParams } from '#wire/api/endpoint/endpoint.ts';
import { preconditionHeaders } from '#wire/api/fields.ts';
import { commitRequest, extendRequest, leases, poll, pollQuery } from '#wire/api/poll/poll.ts';
import { problemAnswers } from '#wire/api/problem.ts';
import type { Api } from '../routes/access.ts';
import type { Polls } from './polls.ts';

const tags = ['Endpoints'];
const item = '/v1/tenants/:tenant/endpoints/:endpoint';

/** Routes of pollers (DL-19): poll, commit, extend. */
export function registerPollRoutes(api: Api, { polls }: { polls: Polls }): void {
  api.get(
    `${item}/poll`,
    {
      config: { access: 'manage' },
      // A HEAD would lease deliveries that its client never sees.
      exposeHeadRoute: false,
      schema: {
        operationId: 'pollEndpoint',
        summary: 'Lease deliveries of an endpoint that is polled',
        description:
          'Leases deliveries, oldest first, and waits for one if there is none. A delivery that is not committed before its lease ends is leased again.',
        tags,
        params: endpointParams,
        querystring: pollQuery,
        response: { 200: poll, ...problemAnswers },
      },
    },
    (request, reply) => {
      const { tenant, endpoint } = request.params;
      void reply.header('cache-control', 'no-store');
      return polls.poll(tenant, endpoint, request.query, () => !request.raw.socket.destroyed);
    },
  );
  api.post(
    `${item}/commit`,
    {
      config: { access: 'manage' },
      schema: {
        operationId: 'commitLeases',
        summary: 'Commit leased deliveries',
        description: 'Records the deliveries as delivered. Each lease has its own result.',
        tags,
        params: endpointParams,
        headers: preconditionHeaders,
        body: commitRequest,
        response: { 200: leases, ...problemAnswers },
      },
    },
    async ({ params, body }) => ({
      data: await polls.commit(params.tenant, params.endpoint, body.lease_ids),
    }),
  );
  api.post(
    `${item}/extend`,
    {
      config: { access: 'manage' },
      schema: {
        operationId: 'extendLeases',
        summary: 'Extend leases',
        description: 'Moves the end of leases, counted from now. Each lease has its own result.',
        tags,
        params: endpointParams,
        headers: preconditionHeaders,
        body: extendRequest,
        response: { 200: leases, ...problemAnswers },
      },
    },
    async ({ params, body }) => ({
      data: await polls.extend(params.tenant, params.endpoint, body.lease_ids, body.lease_seconds),
    }),
  );
}
