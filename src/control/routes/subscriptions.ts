import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { preconditionHeaders } from '#wire/api/fields.ts';
import { problemAnswers } from '#wire/api/problem.ts';
import {
  dryRun,
  dryRunBody,
  dryRunResult,
  newSubscription,
  type SubscriptionResource,
  subscription,
  subscriptionChange,
  subscriptionListQuery,
  subscriptionPage,
  subscriptionParams,
} from '#wire/api/subscription.ts';
import { tenantParams } from '#wire/api/tenant.ts';
import { wantedOfEvent } from '#wire/published/scan-body.ts';
import type { JsonMember } from '#infra/http/server/body/parse-json-bodies.ts';
import { etagOf } from '#wire/revision.ts';
import { answer } from '#wire/openapi/describe.ts';
import { type Api, principalOf } from './access.ts';
import { answerChange } from '../idempotency/change-claim.ts';
import type { Subscriptions } from '../resources/subscriptions.ts';

const tags = ['Subscriptions'];
const collection = '/v1/tenants/:tenant/subscriptions';
const item = `${collection}/:subscription`;

/** Routes for subscriptions, and the dry run of a filter (CT-3). */
export function registerSubscriptionRoutes(api: Api, subscriptions: Subscriptions): void {
  api.post(
    collection,
    {
      config: { access: 'manage', visibility: 'subscribes' },
      schema: {
        operationId: 'createSubscription',
        summary: 'Subscribe an endpoint to events',
        description:
          'An endpoint gets an event if at least one of its approved subscriptions matches.',
        tags,
        params: tenantParams,
        body: newSubscription,
        response: {
          201: answer(subscription, {
            description: 'The subscription is created.',
            headers: ['etag', 'location'],
          }),
          ...problemAnswers,
        },
      },
    },
    (request, reply) => {
      const { tenant } = request.params;
      const head = ({ id, revision }: SubscriptionResource) => ({
        status: 201,
        headers: { etag: etagOf(revision), location: `/v1/tenants/${tenant}/subscriptions/${id}` },
      });
      return answerChange([request, reply], head, (claim) =>
        subscriptions.create(tenant, request.body, isOperator(request), claim),
      );
    },
  );
  api.get(
    collection,
    {
      config: { access: 'read', visibility: 'none' },
      schema: {
        operationId: 'listSubscriptions',
        summary: "List a tenant's subscriptions",
        description: 'Shows subscriptions of every status, with their filters.',
        tags,
        params: tenantParams,
        querystring: subscriptionListQuery,
        response: { 200: subscriptionPage, ...problemAnswers },
      },
    },
    (request) => subscriptions.list(request.params.tenant, request.query),
  );
  api.post(
    `${collection}/dry-run`,
    {
      config: { access: 'read', unparsedMember: { name: 'event', wanted: wantedOfEvent } },
      schema: {
        operationId: 'dryRunSubscription',
        summary: 'Test whether a subscription matches an event',
        description:
          'Reads and checks the event as publishing it would, its type and `data` too, with the same errors and defaults, and ' +
          'applies the event types and the filter to it. Stores and sends nothing, and does not compare its id with those ' +
          'of other events.',
        tags,
        params: tenantParams,
        body: dryRunBody,
        bodies: { 'application/json': dryRun },
        response: { 200: dryRunResult, ...problemAnswers },
      },
    },
    ({ params, body, id }) =>
      subscriptions.dryRun(params.tenant, { ...body, event: body.event as JsonMember }, id),
  );
  registerItemRoutes(api, subscriptions);
}

function registerItemRoutes(api: Api, subscriptions: Subscriptions): void {
  api.get(
    item,
    {
      config: { access: 'read', visibility: 'none' },
      schema: {
        operationId: 'getSubscription',
        summary: 'Read a subscription',
        description: 'Shows the event types, filter and status of the subscription.',
        tags,
        params: subscriptionParams,
        response: {
          200: answer(subscription, { description: 'The subscription.', headers: ['etag'] }),
          ...problemAnswers,
        },
      },
    },
    async (request, reply) => {
      const { tenant, subscription: id } = request.params;
      const found = await subscriptions.get(tenant, id);
      reply.header('etag', etagOf(found.revision));
      return found;
    },
  );
  api.patch(
    item,
    {
      config: { access: 'manage', visibility: 'subscribes' },
      schema: {
        operationId: 'updateSubscription',
        summary: 'Change, approve or cancel a subscription',
        description:
          'Fields that are left out keep their value. Only a platform key may set the status of a subscription to `approved`.',
        tags,
        params: subscriptionParams,
        headers: preconditionHeaders,
        body: subscriptionChange,
        response: {
          200: answer(subscription, {
            description: 'The subscription after the change.',
            headers: ['etag'],
          }),
          ...problemAnswers,
        },
      },
    },
    async (request, reply) => {
      const { tenant, subscription: id } = request.params;
      const changed = await subscriptions.change(tenant, id, request.body, {
        preconditions: request.headers,
        mayApprove: isOperator(request),
      });
      reply.header('etag', etagOf(changed.revision));
      return changed;
    },
  );
  api.delete(
    item,
    {
      config: { access: 'manage', visibility: 'none' },
      schema: {
        operationId: 'deleteSubscription',
        summary: 'Delete a subscription',
        description: 'Events that are already routed are still delivered.',
        tags,
        params: subscriptionParams,
        headers: preconditionHeaders,
        response: {
          204: Type.Null({ description: 'The subscription is deleted.' }),
          ...problemAnswers,
        },
      },
    },
    async (request, reply) => {
      const { tenant, subscription: id } = request.params;
      await subscriptions.remove(tenant, id, request.headers);
      return reply.code(204).send(null);
    },
  );
}

/** Only operators approve subscriptions. */
function isOperator(request: FastifyRequest): boolean {
  return principalOf(request).scope === 'platform';
}
