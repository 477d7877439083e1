import { deliveryPage, eventDeliveriesQuery } from '#wire/api/delivery.ts';
import { event, eventParams } from '#wire/api/event.ts';
import { eventExplanation, explanationQuery } from '#wire/api/event-explanation.ts';
import { problemAnswers } from '#wire/api/problem.ts';
import type { Api } from './access.ts';
import type { EventExplanations } from '../history/event-explanations.ts';
import type { DeliveryReads } from '../history/delivery-reads.ts';
import type { EventReads } from '../history/event-reads.ts';
import type { CurrentLives } from '../lives/current-lives.ts';

const tags = ['Events'];

/** Routes for events of the history (CT-5). */
export function registerEventRoutes(
  api: Api,
  reads: { lives: CurrentLives; events: EventReads; deliveries: DeliveryReads },
): void {
  const { lives } = reads;
  api.get(
    '/v1/tenants/:tenant/events/:event',
    {
      config: { access: 'read' },
      schema: {
        operationId: 'getEvent',
        summary: 'Read an event with its data',
        description:
          'Includes the number of deliveries by status. Read the data of a large event at `…/payload`.',
        tags,
        params: eventParams,
        response: { 200: event, ...problemAnswers },
      },
    },
    async (request, reply) => {
      const { tenant, event: id } = request.params;
      const json = await reads.events.getJson(await lives.of(tenant), id);
      reply.header('content-type', 'application/json; charset=utf-8');
      // The JSON text already has the form of the schema.
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
          'Shows one delivery for each endpoint that the event is sent to, and one more for each replay.',
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

/** Route that explains why an endpoint did not get an event (RT-9). */
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
        summary: 'Explain for each endpoint whether it matches an event, and why',
        description:
          'Uses the present endpoints and subscriptions (`judged_at`), which may have changed since the event was ' +
          'routed. The deliveries of the event show how it was routed. For an event that is not stored, use the dry run of a subscription.',
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
