import { problemAnswers } from '#wire/api/problem.ts';
import { rejectedEventListQuery, rejectedEventPage } from '#wire/api/rejected-event.ts';
import { tenantParams } from '#wire/api/tenant.ts';
import type { Api } from './access.ts';
import type { CurrentLives } from '../lives/current-lives.ts';
import type { RejectedEvents } from '../history/rejected-events.ts';

/** Routes for messages that producers sent over NATS and that were rejected (IN-4). */
export function registerRejectedEventRoutes(
  api: Api,
  { lives, rejected }: { lives: CurrentLives; rejected: RejectedEvents },
): void {
  api.get(
    '/v1/tenants/:tenant/rejected-events',
    {
      // An unreadable message may contain anything: it is shown to the operator of the producers,
      // not to the tenant.
      config: { access: 'platform' },
      schema: {
        operationId: 'listRejectedEvents',
        summary:
          'List rejected messages that were sent over NATS without a reply subject, oldest first',
        description:
          'Keeps the newest 1,000 of each tenant for 7 days, with the first 16 KiB of each.',
        tags: ['Events'],
        params: tenantParams,
        querystring: rejectedEventListQuery,
        response: { 200: rejectedEventPage, ...problemAnswers },
      },
    },
    async ({ params, query }) => rejected.list(await lives.of(params.tenant), query),
  );
}
