import type { JsonMember } from '#infra/http/server/body/parse-json-bodies.ts';
import {
  dryPublish,
  dryPublishBody,
  dryPublishQuery,
  dryPublishResult,
} from '#wire/api/dry-publish/dry-publish.ts';
import { problemAnswers } from '#wire/api/problem.ts';
import { tenantParams } from '#wire/api/tenant.ts';
import { wantedOfEvent } from '#wire/published/scan-body.ts';
import type { CurrentLives } from '../lives/current-lives.ts';
import type { Api } from '../routes/access.ts';
import type { DryPublishes } from './dry-publishes.ts';

export interface DryPublishParts {
  lives: CurrentLives;
  dryPublishes: DryPublishes;
}

/** The route of the dry publish (IN-17). */
export function registerDryPublishRoute(api: Api, { lives, dryPublishes }: DryPublishParts): void {
  api.post(
    '/v1/tenants/:tenant/events/dry-run',
    {
      config: { access: 'read', unparsedMember: { name: 'event', wanted: wantedOfEvent } },
      schema: {
        operationId: 'dryRunEvent',
        summary: 'Explain the effect of an event without publishing it',
        description:
          'Reads and checks the event as publishing it would, and says for each endpoint whether it gets the event, and why not. ' +
          'A refusal is part of the answer: `accepted` is false, and `error` is the answer that a producer gets. Stores and sends nothing. ' +
          'Rate limits and earlier events with the same id are not considered.',
        tags: ['Events'],
        params: tenantParams,
        querystring: dryPublishQuery,
        body: dryPublishBody,
        bodies: { 'application/json': dryPublish },
        response: { 200: dryPublishResult, ...problemAnswers },
      },
    },
    async ({ params, query, body, id, url }) =>
      dryPublishes.explain({
        lifeId: await lives.of(params.tenant),
        event: body.event as JsonMember,
        query,
        correlationId: id,
        path: url.split('?', 1)[0] ?? url,
      }),
  );
}
