import { endpointParams } from '#wire/api/endpoint/endpoint.ts';
import { preconditionHeaders } from '#wire/api/fields.ts';
import {
  commitRequest,
  extendRequest,
  leases,
  poll,
  pollQuery,
  seekRequest,
} from '#wire/api/poll/poll.ts';
import { problemAnswers } from '#wire/api/problem.ts';
import type { Api } from '../routes/access.ts';
import { plan } from '#wire/api/replays/plan.ts';
import { limits } from '#domain/limits.ts';
import type { CurrentLives } from '../lives/current-lives.ts';
import type { Plans } from '../plans/plans.ts';
import type { Polls } from './polls.ts';

const tags = ['Endpoints'];
const item = '/v1/tenants/:tenant/endpoints/:endpoint';

export interface PollParts {
  polls: Polls;
  plans: Pick<Plans, 'create'>;
  lives: Pick<CurrentLives, 'of'>;
}

/** Routes of pollers (DL-19): poll, commit, extend, seek. */
export function registerPollRoutes(api: Api, parts: PollParts): void {
  const { polls } = parts;
  registerSeekRoute(api, parts);
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

function registerSeekRoute(api: Api, { polls, plans, lives }: PollParts): void {
  api.post(
    `${item}/seek`,
    {
      config: { access: 'replay' },
      schema: {
        operationId: 'seekEndpoint',
        summary: 'Plan to poll deliveries of the past again',
        description:
          'Creates a plan that lists the deliveries to this endpoint in a range of time, with every status. Start it with `POST …/replays`: they then join the queue as new deliveries.',
        tags,
        params: endpointParams,
        headers: preconditionHeaders,
        body: seekRequest,
        response: { 202: plan, ...problemAnswers },
      },
    },
    async (request, reply) => {
      const { tenant, endpoint } = request.params;
      polls.check(tenant, endpoint);
      const created = await plans.create(await lives.of(tenant), {
        action: 'replay',
        kind: 'range',
        filter: { endpoint_id: endpoint, accepted_at: request.body.accepted_at },
        // They wait in the queue, and are leased at the pace of the pollers.
        per_second: limits.replayPerSecondMax,
      });
      return reply.code(202).send(created);
    },
  );
}
