import { deliveryPage, eventDeliveriesQuery } from '#wire/api/delivery.ts';
import { event, eventListQuery, eventPage, eventParams } from '#wire/api/event.ts';
import { eventExplanation, explanationQuery } from '#wire/api/event-explanation.ts';
import { problemAnswers } from '#wire/api/problem.ts';
import { tenantParams } from '#wire/api/tenant.ts';
import type { Api } from './access.ts';
import type { EventExplanations } from '../history/event-explanations.ts';
import type { DeliveryReads } from '../history/delivery-reads.ts';
import type { EventReads } from '../history/event-reads.ts';
import type { CurrentLives } from '../lives/current-lives.ts';

const tags = ['Events'];

/** Events as the history has them (CT-5). */
export function registerEventRoutes(
  api: Api,
  reads: { lives: CurrentLives; events: EventReads; deliveries: DeliveryReads },
): void {
  const { lives } = reads;
  api.get(
    '/v1/tenants/:tenant/events',
    {
      config: { access: 'read' },
      schema: {
        operationId: 'listEvents',
        summary: "List a tenant's events, newest first",
        description: 'Shows events of the retention period without their data. Filters combine.',
        tags,
        params: tenantParams,
        querystring: eventListQuery,
        response: { 200: eventPage, ...problemAnswers },
      },
    },
    async ({ params, query }) => reads.events.list(await lives.of(params.tenant), query),
  );
  api.get(
    '/v1/tenants/:tenant/events/:event',
    {
      config: { access: 'read' },
      schema: {
        operationId: 'getEvent',
        summary: 'Read an event with its data',
        description:
          'Counts the deliveries of the event by status. Data of large events is read at `…/payload`.',
        tags,
        params: eventParams,
        response: { 200: event, ...problemAnswers },
      },
    },
    async (request, reply) => {
      const { tenant, event: id } = request.params;
      const json = await reads.events.getJson(await lives.of(tenant), id);
      reply.header('content-type', 'application/json; charset=utf-8');
      // It has the form of the schema, as text already.
      return reply.send(json as never);
    },
  );
  api.get(
    '/v1/tenants/:tenant/events/:event/deliveries',
    {
      config: { access: 'read' },
      schema: {
        operationId: 'listEventDeliveries',
        summary: 'List the deliveries of an event',
        description:
          'Shows one delivery for each endpoint that the event goes to, and one more for each replay.',
        tags,
        params: eventParams,
        querystring: eventDeliveriesQuery,
        response: { 200: deliveryPage, ...problemAnswers },
      },
    },
    async (request) => {
      const { tenant, event: id } = request.params;
      return reads.deliveries.listOfEvent(await lives.of(tenant), id, request.query);
    },
  );
}

/** Why an endpoint did not get an event (RT-9). */
export function registerEventExplanationRoute(
  api: Api,
  { lives, explanations }: { lives: CurrentLives; explanations: EventExplanations },
): void {
  api.get(
    '/v1/tenants/:tenant/events/:event/explanation',
    {
      config: { access: 'read' },
      schema: {
        operationId: 'explainEvent',
        summary: 'Say for each endpoint whether it matches an event, and why not',
        description:
          'By the endpoints and subscriptions as they are now (`judged_at`): they may have changed since the event was ' +
          'routed. What became of it then are its deliveries. An event that is not stored: see the dry run of a subscription.',
        tags,
        params: eventParams,
        querystring: explanationQuery,
        response: { 200: eventExplanation, ...problemAnswers },
      },
    },
    async (request) => {
      const { tenant, event: id } = request.params;
      return explanations.explain(await lives.of(tenant), id, request.query);
    },
  );
}
