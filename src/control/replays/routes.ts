import { deliveryParams, resentDelivery } from '#wire/api/delivery.ts';
import { problemAnswers, problems } from '#wire/api/problem.ts';
import { actionClaimOf } from '../idempotency/change-claim.ts';
import type { CurrentLives } from '../lives/current-lives.ts';
import type { Api } from '../routes/access.ts';
import type { Resends } from './resends.ts';

export interface ReplayParts {
  lives: CurrentLives;
  resends: Resends;
}

/** Routes that send deliveries again (CT-6). */
export function registerReplayRoutes(api: Api, { lives, resends }: ReplayParts): void {
  api.post(
    '/v1/tenants/:tenant/deliveries/:delivery/resend',
    {
      config: { access: 'replay' },
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
