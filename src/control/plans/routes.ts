import { Type } from 'typebox';
import { problemAnswers, problems } from '#wire/api/problem.ts';
import { newPlan, plan, planListQuery, planPage, planParams } from '#wire/api/replays/plan.ts';
import { tenantParams } from '#wire/api/tenant.ts';
import type { CurrentLives } from '../lives/current-lives.ts';
import type { Api } from '../routes/access.ts';
import type { Plans } from './plans.ts';

const tags = ['Plans'];
const collection = '/v1/tenants/:tenant/plans';
const item = `${collection}/:plan`;

/** Routes for plans: count a bulk action before it is started (CT-18). */
export function registerPlanRoutes(
  api: Api,
  { lives, plans }: { lives: CurrentLives; plans: Plans },
): void {
  api.post(
    collection,
    {
      config: { access: 'replay' },
      schema: {
        operationId: 'createPlan',
        summary: 'Plan a replay, cancellation, release or discard',
        description:
          'Lists the items that the action would be applied to, and counts them. Nothing is changed. Read the plan until it is `ready`, then start it with `POST …/replays`.',
        tags,
        params: tenantParams,
        body: newPlan,
        response: { 202: plan, ...problemAnswers },
      },
    },
    async (request, reply) => {
      const created = await plans.create(await lives.of(request.params.tenant), request.body);
      return reply.code(202).send(created);
    },
  );
  api.get(
    collection,
    {
      config: { access: 'read' },
      schema: {
        operationId: 'listPlans',
        summary: "List a tenant's plans, newest first",
        description: 'Shows plans for 24 hours.',
        tags,
        params: tenantParams,
        querystring: planListQuery,
        response: { 200: planPage, ...problemAnswers },
      },
    },
    async ({ params, query }) => plans.list(await lives.of(params.tenant), query),
  );
  api.get(
    item,
    {
      config: { access: 'read' },
      schema: {
        operationId: 'getPlan',
        summary: 'Read a plan: its count, and the items left out',
        description: 'A plan that is older than 24 hours is answered with 410.',
        tags,
        params: planParams,
        response: { 200: plan, ...problems(410), ...problemAnswers },
      },
    },
    async ({ params }) => plans.get(await lives.of(params.tenant), params.plan),
  );
  api.delete(
    item,
    {
      config: { access: 'replay' },
      schema: {
        operationId: 'deletePlan',
        summary: 'Delete a plan',
        description: 'Its replay, if it was started, continues.',
        tags,
        params: planParams,
        response: {
          204: Type.Null({ description: 'The plan is deleted.' }),
          ...problems(410),
          ...problemAnswers,
        },
      },
    },
    async (request, reply) => {
      const { tenant, plan: id } = request.params;
      await plans.delete(await lives.of(tenant), id);
      return reply.code(204).send(null);
    },
  );
}
