import { problemAnswers } from '#wire/api/problem.ts';
import { rejectedEventListQuery, rejectedEventPage } from '#wire/api/rejected-event.ts';
import { tenantParams } from '#wire/api/tenant.ts';
import type { Api } from './access.ts';
import type { CurrentLives } from '../lives/current-lives.ts';
import type { RejectedEvents } from '../history/rejected-events.ts';

/** What producers sent over NATS and was refused (IN-4). */
export function registerRejectedEventRoutes(
  api: Api,
  { lives, rejected }: { lives: CurrentLives; rejected: RejectedEvents },
): void {
  api.get(
    '/v1/tenants/:tenant/rejected-events',
    {
      // What cannot be read may hold anything: it is for who runs the producers, not for the tenant.
      config: { access: 'platform' },
      schema: {
        operationId: 'listRejectedEvents',
        summary:
          'List what was sent over NATS without a reply subject and was refused, oldest first',
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
