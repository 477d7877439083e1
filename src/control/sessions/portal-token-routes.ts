import { Type } from 'typebox';
import {
  createdPortalToken,
  newPortalToken,
  portalToken,
  portalTokenListQuery,
  portalTokenPage,
  portalTokenParams,
  portalTokenRevocation,
  revokedPortalTokens,
} from '#wire/api/portal/portal-token.ts';
import { problemAnswers, problems } from '#wire/api/problem.ts';
import { tenantParams } from '#wire/api/tenant.ts';
import { answerChange } from '../idempotency/change-claim.ts';
import type { CurrentLives } from '../lives/current-lives.ts';
import type { Api } from '../routes/access.ts';
import type { PortalTokens } from './portal-tokens.ts';

const tags = ['Portal'];
const collection = '/v1/tenants/:tenant/portal-tokens';
const item = `${collection}/:portal_token`;
const config = { access: 'portal-tokens' } as const;

interface Parts {
  lives: CurrentLives;
  portalTokens: PortalTokens;
}

/** Portal tokens of a tenant (CT-8). */
export function registerPortalTokenRoutes(api: Api, parts: Parts): void {
  const { lives, portalTokens } = parts;
  api.post(
    collection,
    {
      config,
      schema: {
        operationId: 'createPortalToken',
        summary: 'Create a portal token',
        description:
          'Gives a user of the tenant access to the portal, without a key. Send the user to `link`: the portal exchanges the token once for a session (`POST /v1/session`). Until then, the token is accepted as a bearer token too. The caller needs no other capability of the token.',
        tags,
        params: tenantParams,
        body: Type.Union([newPortalToken, Type.Null()]),
        response: { 201: createdPortalToken, ...problemAnswers, ...problems(404) },
      },
      preValidation: (request, _reply, done) => {
        // An empty request is valid: one hour, to view.
        request.body ??= {};
        done();
      },
    },
    (request, reply) =>
      answerChange(
        [request, reply],
        () => ({ status: 201 }),
        (claim) => portalTokens.create(request.params.tenant, request.body ?? {}, claim),
      ),
  );
  api.get(
    collection,
    {
      config,
      schema: {
        operationId: 'listPortalTokens',
        summary: 'List the portal tokens of a tenant',
        description: 'Shows them without their secrets. Ended ones stay for seven days.',
        tags,
        params: tenantParams,
        querystring: portalTokenListQuery,
        response: { 200: portalTokenPage, ...problemAnswers },
      },
    },
    async ({ params, query }) => portalTokens.list(await lives.of(params.tenant), query),
  );
  registerItemRoutes(api, parts);
}

function registerItemRoutes(api: Api, { lives, portalTokens }: Parts): void {
  api.get(
    item,
    {
      config,
      schema: {
        operationId: 'getPortalToken',
        summary: 'Read a portal token, without its secret',
        description: 'Shows its permissions, and whether it was exchanged or revoked.',
        tags,
        params: portalTokenParams,
        response: { 200: portalToken, ...problemAnswers },
      },
    },
    async ({ params }) => portalTokens.get(await lives.of(params.tenant), params.portal_token),
  );
  api.delete(
    item,
    {
      config,
      schema: {
        operationId: 'revokePortalToken',
        summary: 'Revoke a portal token and its session',
        description: 'In force within a second. The token stays in the list for seven days.',
        tags,
        params: portalTokenParams,
        response: { 204: Type.Null({ description: 'It is revoked.' }), ...problemAnswers },
      },
    },
    async ({ params }, reply) => {
      await portalTokens.revoke(await lives.of(params.tenant), params.portal_token);
      return reply.code(204).send(null);
    },
  );
  api.post(
    `${collection}/revoke`,
    {
      config,
      schema: {
        operationId: 'revokePortalTokens',
        summary: 'Revoke all portal tokens and sessions of a tenant',
        description: 'In force within a second. Tokens that are created afterwards are valid.',
        tags,
        params: tenantParams,
        body: portalTokenRevocation,
        response: { 200: revokedPortalTokens, ...problemAnswers },
      },
    },
    async ({ params }) => ({
      revoked_count: await portalTokens.revokeAll(await lives.of(params.tenant)),
    }),
  );
}
