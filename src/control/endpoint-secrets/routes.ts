import { endpoint, endpointParams, revealedSecrets } from '#wire/api/endpoint/endpoint.ts';
import { preconditionHeaders } from '#wire/api/fields.ts';
import { problemAnswers } from '#wire/api/problem.ts';
import { answer } from '#wire/openapi/describe.ts';
import { headOf } from '../endpoint-status/routes.ts';
import { answerChange } from '../idempotency/change-claim.ts';
import type { Api } from '../routes/access.ts';
import type { SecretActions } from './secret-actions.ts';

const tags = ['Endpoints'];
const item = '/v1/tenants/:tenant/endpoints/:endpoint';

/** Routes for the signing secrets of an endpoint (CT-2). */
export function registerEndpointSecretRoutes(
  api: Api,
  { secretActions }: { secretActions: SecretActions },
): void {
  api.get(
    `${item}/secrets`,
    {
      config: { access: 'view-secret', visibility: 'none' },
      schema: {
        operationId: 'listEndpointSecrets',
        summary: 'Reveal the signing secrets',
        description:
          'Needs the capability `view_secret`. Shows the secrets that sign each webhook at present, newest first.',
        tags,
        params: endpointParams,
        response: { 200: revealedSecrets, ...problemAnswers },
      },
    },
    ({ params }) => secretActions.reveal(params.tenant, params.endpoint),
  );
  api.post(
    `${item}/expire-previous-secrets`,
    {
      config: { access: 'manage', visibility: 'none' },
      schema: {
        operationId: 'expirePreviousEndpointSecrets',
        summary: 'End the previous signing secrets now',
        description:
          'Ends the overlap of a rotation early, for example if a previous secret has leaked. Only the newest secret signs from now on.',
        tags,
        params: endpointParams,
        headers: preconditionHeaders,
        response: {
          200: answer(endpoint, {
            description: 'The endpoint with its newest secret.',
            headers: ['etag'],
          }),
          ...problemAnswers,
        },
      },
    },
    (request, reply) => {
      const { tenant, endpoint: id } = request.params;
      const changed = { tenant, id, preconditions: request.headers };
      return answerChange([request, reply], headOf, (claim) =>
        secretActions.expirePrevious(changed, claim),
      );
    },
  );
}
