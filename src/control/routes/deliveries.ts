import {
  attemptPage,
  cancelledDelivery,
  delivery,
  deliveryParams,
  retriedDelivery,
} from '#wire/api/delivery.ts';
import { problemAnswers } from '#wire/api/problem.ts';
import type { Api } from './access.ts';
import { actionClaimOf } from '../idempotency/change-claim.ts';
import type { DeliveryActions } from '../deliveries/delivery-actions.ts';
import type { DeliveryReads } from '../history/delivery-reads.ts';
import type { CurrentLives } from '../lives/current-lives.ts';

const tags = ['Deliveries'];

export interface DeliveryParts {
  lives: CurrentLives;
  deliveries: DeliveryReads;
  deliveryActions: DeliveryActions;
}

/** Routes for deliveries and their attempts (CT-5): list, read, retry now, cancel. */
export function registerDeliveryRoutes(api: Api, parts: DeliveryParts): void {
  registerReads(api, parts);
  registerActions(api, parts);
}

function registerReads(api: Api, { lives, deliveries }: DeliveryParts): void {
  api.get(
    '/v1/tenants/:tenant/deliveries/:delivery',
    {
      config: { access: 'read' },
      schema: {
        operationId: 'getDelivery',
        summary: 'Read a delivery with its attempts',
        description:
          'Shows each attempt with its status, latency and the first 4 KiB of the response.',
        tags,
        params: deliveryParams,
        response: { 200: delivery, ...problemAnswers },
      },
    },
    async ({ params }) => deliveries.get(await lives.of(params.tenant), params.delivery),
  );
  api.get(
    '/v1/tenants/:tenant/deliveries/:delivery/attempts',
    {
      config: { access: 'read' },
      schema: {
        operationId: 'listDeliveryAttempts',
        summary: 'List the attempts of a delivery',
        description: 'Shows every attempt on one page, in the order in which they were made.',
        tags,
        params: deliveryParams,
        response: { 200: attemptPage, ...problemAnswers },
      },
    },
    async ({ params }) => deliveries.listAttempts(await lives.of(params.tenant), params.delivery),
  );
}

function registerActions(api: Api, { lives, deliveryActions: actions }: DeliveryParts): void {
  api.post(
    '/v1/tenants/:tenant/deliveries/:delivery/retry',
    {
      config: { access: 'replay' },
      schema: {
        operationId: 'retryDelivery',
        summary: 'Attempt a delivery now',
        description:
          'Makes the next attempt of a waiting delivery now. If the delivery has failed, its dead letter is replayed as a new delivery with a new retry schedule.',
        tags,
        params: deliveryParams,
        response: { 202: retriedDelivery, ...problemAnswers },
      },
    },
    async (request, reply) => {
      const { tenant, delivery: id } = request.params;
      const claim = actionClaimOf(request);
      return reply.code(202).send(await actions.retry(await lives.of(tenant), id, claim));
    },
  );
  api.post(
    '/v1/tenants/:tenant/deliveries/:delivery/cancel',
    {
      config: { access: 'replay' },
      schema: {
        operationId: 'cancelDelivery',
        summary: 'Cancel a delivery that is held or waits for its next attempt',
        description:
          'A delivery that is in flight or has ended cannot be cancelled: the answer is 409.',
        tags,
        params: deliveryParams,
        response: { 202: cancelledDelivery, ...problemAnswers },
      },
    },
    async (request, reply) => {
      const { tenant, delivery: id } = request.params;
      const claim = actionClaimOf(request);
      return reply.code(202).send(await actions.cancel(await lives.of(tenant), id, claim));
    },
  );
}
