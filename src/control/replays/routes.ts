import { deliveryParams, resentDelivery } from '#wire/api/delivery.ts';
import { problemAnswers, problems } from '#wire/api/problem.ts';
import {
  newReplay,
  replay,
  replayChange,
  replayListQuery,
  replayPage,
  replayParams,
} from '#wire/api/replays/replay.ts';
import { tenantParams } from '#wire/api/tenant.ts';
import { actionClaimOf } from '../idempotency/change-claim.ts';
import type { CurrentLives } from '../lives/current-lives.ts';
import type { Plans } from '../plans/plans.ts';
import { registerPlanRoutes } from '../plans/routes.ts';
import type { Api } from '../routes/access.ts';
import type { Replays } from './replays.ts';
import type { Resends } from './resends.ts';

export interface ReplayParts {
  lives: CurrentLives;
  plans: Plans;
  replays: Replays;
  resends: Resends;
}

const tags = ['Replays'];
const collection = '/v1/tenants/:tenant/replays';
const item = `${collection}/:replay`;
const config = { access: 'replay' } as const;

/** Routes that plan and run bulk actions, and send deliveries again (CT-6, CT-18). */
export function registerReplayRoutes(api: Api, parts: ReplayParts): void {
  registerPlanRoutes(api, parts);
  registerReads(api, parts);
  registerChanges(api, parts);
  registerResend(api, parts);
}

function registerReads(api: Api, { lives, replays }: ReplayParts): void {
  api.get(
    collection,
    {
      config: { access: 'read' },
      schema: {
        operationId: 'listReplays',
        summary: "List a tenant's replays, newest first",
        description: 'Shows replays for 30 days after their start.',
        tags,
        params: tenantParams,
        querystring: replayListQuery,
        response: { 200: replayPage, ...problemAnswers },
      },
    },
    async ({ params, query }) => replays.list(await lives.of(params.tenant), query),
  );
  api.get(
    item,
    {
      config: { access: 'read' },
      schema: {
        operationId: 'getReplay',
        summary: 'Read a replay with its progress and results',
        description: 'Counts the results of the items that are done, by reason.',
        tags,
        params: replayParams,
        response: { 200: replay, ...problemAnswers },
      },
    },
    async ({ params }) => replays.get(await lives.of(params.tenant), params.replay),
  );
}

function registerChanges(api: Api, { lives, replays }: ReplayParts): void {
  api.post(
    collection,
    {
      config,
      schema: {
        operationId: 'createReplay',
        summary: 'Start the replay of a plan',
        description:
          'Applies the action of the plan to exactly the listed items, each after it was examined again. A plan that was started before answers with its replay.',
        tags,
        params: tenantParams,
        body: newReplay,
        response: { 202: replay, ...problems(410), ...problemAnswers },
      },
    },
    async (request, reply) => {
      const started = await replays.start(await lives.of(request.params.tenant), request.body);
      return reply.code(202).send(started);
    },
  );
  api.patch(
    item,
    {
      config,
      schema: {
        operationId: 'updateReplay',
        summary: 'Change the pace of a replay',
        description: 'Takes effect with the next batch, within a second.',
        tags,
        params: replayParams,
        body: replayChange,
        response: { 200: replay, ...problemAnswers },
      },
    },
    async ({ params, body }) =>
      replays.setPace(await lives.of(params.tenant), params.replay, body.per_second),
  );
  const verbs = [
    [
      'pause',
      'Pause a replay',
      'A paused replay starts nothing new. Pausing it again changes nothing.',
    ],
    ['resume', 'Resume a paused replay', 'Continues behind the last item that is done.'],
    [
      'cancel',
      'Cancel a replay',
      'Ends it: items that are done stay done, the others are left as they are.',
    ],
  ] as const;
  for (const [verb, summary, description] of verbs) {
    api.post(
      `${item}/${verb}`,
      {
        config,
        schema: {
          operationId: `${verb}Replay`,
          summary,
          description,
          tags,
          params: replayParams,
          response: { 200: replay, ...problemAnswers },
        },
      },
      async ({ params }) => replays[verb](await lives.of(params.tenant), params.replay),
    );
  }
}

function registerResend(api: Api, { lives, resends }: ReplayParts): void {
  api.post(
    '/v1/tenants/:tenant/deliveries/:delivery/resend',
    {
      config,
      schema: {
        operationId: 'resendDelivery',
        summary: 'Send a delivery that has ended again',
        description:
          'Creates a new delivery of the same event to the same endpoint, with the same `webhook-id` and a new retry schedule, whether the old one was delivered, failed or cancelled. Each request creates one, so send an `Idempotency-Key` if it may be repeated.',
        tags: ['Deliveries'],
        params: deliveryParams,
        response: { 202: resentDelivery, ...problems(410), ...problemAnswers },
      },
    },
    async (request, reply) => {
      const { tenant, delivery: id } = request.params;
      const claim = actionClaimOf(request);
      return reply.code(202).send(await resends.resend(await lives.of(tenant), id, claim));
    },
  );
}
