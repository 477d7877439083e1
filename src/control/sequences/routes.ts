import { endpointParams } from '#wire/api/endpoint/endpoint.ts';
import { problemAnswers } from '#wire/api/problem.ts';
import { reconcileQuery, sequencePage } from '#wire/api/sequence/reconcile.ts';
import type { Api } from '../routes/access.ts';
import type { Reconciliations } from './reconciliations.ts';

/** The route that lists the numbers of a sequenced endpoint (DL-23). */
export function registerSequenceRoutes(
  api: Api,
  parts: { reconciliations: Reconciliations },
): void {
  api.get(
    '/v1/tenants/:tenant/endpoints/:endpoint/reconcile',
    {
      config: { access: 'read' },
      schema: {
        operationId: 'reconcileEndpoint',
        summary: 'List the numbers of a sequenced endpoint',
        description:
          'Lists each number of a range with its event and its state, so that a receiver can find the events that it lacks. Empty for an endpoint that was never sequenced.',
        tags: ['Endpoints'],
        params: endpointParams,
        querystring: reconcileQuery,
        response: { 200: sequencePage, ...problemAnswers },
      },
    },
    ({ params, query }) => parts.reconciliations.list(params.tenant, params.endpoint, query),
  );
}
