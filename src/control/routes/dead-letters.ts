import { Type } from 'typebox';
import {
  deadLetter,
  deadLetterGroups,
  deadLetterListQuery,
  deadLetterPage,
  deadLetterParams,
  replayedDeadLetter,
} from '#wire/api/dead-letter.ts';
import { problemAnswers } from '#wire/api/problem.ts';
import { tenantParams } from '#wire/api/tenant.ts';
import { visibleTypesOf } from '../sessions/visible-types.ts';
import type { Api } from './access.ts';
import { actionClaimOf } from '../idempotency/change-claim.ts';
import type { DeadLetterActions } from '../dead-letters/actions.ts';
import type { DeadLetterReads } from '../dead-letters/reads.ts';
import type { CurrentLives } from '../lives/current-lives.ts';

const tags = ['Dead letters'];
const collection = '/v1/tenants/:tenant/dead-letters';
const item = `${collection}/:dead_letter`;

export interface DeadLetterParts {
  lives: CurrentLives;
  deadLetterReads: DeadLetterReads;
  deadLetterActions: DeadLetterActions;
}

/** Dead letters: list, read, replay, discard (DL-10). */
export function registerDeadLetterRoutes(api: Api, parts: DeadLetterParts): void {
  registerReads(api, parts);
  registerActions(api, parts);
}

function registerReads(api: Api, { lives, deadLetterReads: reads }: DeadLetterParts): void {
  api.get(
    collection,
    {
      config: { access: 'read', visibility: 'applied' },
      schema: {
        operationId: 'listDeadLetters',
        summary: "List a tenant's dead letters, newest first",
        description: 'Filters combine: a dead letter is listed if it matches all of them.',
        tags,
        params: tenantParams,
        querystring: deadLetterListQuery,
        response: { 200: deadLetterPage, ...problemAnswers },
      },
    },
    async (request) => {
      const lifeId = await lives.of(request.params.tenant);
      return reads.list(lifeId, request.query, visibleTypesOf(request));
    },
  );
  api.get(
    `${collection}/groups`,
    {
      config: { access: 'read' },
      schema: {
        operationId: 'groupDeadLetters',
        summary: 'Count dead letters by endpoint and cause',
        description: 'Counts dead letters that were neither replayed nor discarded.',
        tags,
        params: tenantParams,
        response: { 200: deadLetterGroups, ...problemAnswers },
      },
    },
    async ({ params }) => reads.groups(await lives.of(params.tenant)),
  );
  api.get(
    item,
    {
      config: { access: 'read' },
      schema: {
        operationId: 'getDeadLetter',
        summary: 'Read a dead letter with its event and last attempt',
        description:
          'Shows the event with its data, for as long as it is retained, and the last response of the receiver.',
        tags,
        params: deadLetterParams,
        response: { 200: deadLetter, ...problemAnswers },
      },
    },
    async (request, reply) => {
      const { tenant, dead_letter: id } = request.params;
      const json = await reads.getJson(await lives.of(tenant), id);
      reply.header('content-type', 'application/json; charset=utf-8');
      // The JSON text already has the form of the schema.
      return reply.send(json as never);
    },
  );
}

function registerActions(api: Api, { lives, deadLetterActions: actions }: DeadLetterParts): void {
  api.post(
    `${item}/replay`,
    {
      config: { access: 'replay' },
      schema: {
        operationId: 'replayDeadLetter',
        summary: 'Replay a dead letter as a new delivery',
        description:
          'A repeat of the request gets the first answer and creates no second delivery.',
        tags,
        params: deadLetterParams,
        response: { 202: replayedDeadLetter, ...problemAnswers },
      },
    },
    async (request, reply) => {
      const { tenant, dead_letter: id } = request.params;
      return reply
        .code(202)
        .send(await actions.replay(await lives.of(tenant), id, actionClaimOf(request)));
    },
  );
  api.delete(
    item,
    {
      config: { access: 'replay' },
      schema: {
        operationId: 'discardDeadLetter',
        summary: 'Discard a dead letter',
        description: 'Deletes the dead letter. It cannot be replayed afterwards.',
        tags,
        params: deadLetterParams,
        response: {
          204: Type.Null({ description: 'The dead letter is discarded.' }),
          ...problemAnswers,
        },
      },
    },
    async (request, reply) => {
      const { tenant, dead_letter: id } = request.params;
      await actions.discard(await lives.of(tenant), id);
      return reply.code(204).send(null);
    },
  );
}
