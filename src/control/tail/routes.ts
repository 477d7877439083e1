import type { FastifyReply, FastifyRequest } from 'fastify';
import { problemAnswers } from '#wire/api/problem.ts';
import { tailAnswer, type TailHeaders, tailHeaders, tailQueries } from '#wire/api/tail/tail.ts';
import { tenantParams } from '#wire/api/tenant.ts';
import type { CurrentLives } from '../lives/current-lives.ts';
import { type Api, principalOf } from '../routes/access.ts';
import type { LiveTail } from './live-tail.ts';
import type { TailKind } from './tail-items.ts';

export interface TailParts {
  lives: CurrentLives;
  liveTail: LiveTail;
}

/** Finds the caller of a request again. @throws if it has lost its access */
export type Recheck = (request: FastifyRequest) => unknown;

interface Described {
  kind: TailKind;
  plural: string;
  operation: string;
  tag: string;
  item: string;
  example: string;
}

const streams: readonly Described[] = [
  {
    kind: 'event',
    plural: 'events',
    operation: 'Events',
    tag: 'Events',
    item: 'An event appears when it is stored (`accepted`) and when it is routed (`matched` or `unmatched`), as lists show it.',
    example:
      'event: event\ndata: {"tenant_id":"acme","id":"evt_01k3v9h2c8m4n6p8q0r2s4t6v8","status":"accepted","event_type":"order.created"}\nid: 1-3f.a1\n\n',
  },
  {
    kind: 'delivery',
    plural: 'deliveries',
    operation: 'Deliveries',
    tag: 'Deliveries',
    item: 'A delivery appears with each change of its status, as lists show it. `attempt_count` is null if the number is not known.',
    example:
      'event: delivery\ndata: {"tenant_id":"acme","id":"dlv_01k3v9h2c8m4n6p8q0r2s4t6v8","status":"delivered","attempt_count":1}\nid: 1-3f.a1\n\n',
  },
  {
    kind: 'attempt',
    plural: 'attempts',
    operation: 'Attempts',
    tag: 'Deliveries',
    item: 'An attempt appears when it has ended, as lists show it, without its response.',
    example:
      'event: attempt\ndata: {"tenant_id":"acme","id":"att_01k3v9h2c8m4n6p8q0r2s4t6v8","status":"failed","response_status":503}\nid: 1-3f.a1\n\n',
  },
];

const RULES =
  'The filters are fields of the list. `event: missed` has the number of messages that were left out because the client reads too slowly. `event: end` has the reason for the end: `access_ended`, `tenant_deleted` or `stopping`. A comment comes every 10 seconds.';

/** Routes of the live tail: events, deliveries and attempts as they happen. */
export function registerTailRoutes(
  api: Api,
  { lives, liveTail }: TailParts,
  recheck: Recheck,
): void {
  const answerWith = async (
    kind: TailKind,
    request: FastifyRequest,
    reply: FastifyReply,
    lifeId?: string,
  ): Promise<void> => {
    const visibleTypes = principalOf(request).eventTypes;
    const selection = {
      kind,
      ...(lifeId !== undefined && { lifeId }),
      ...(visibleTypes !== undefined && { visibleTypes }),
      filters: request.query as Record<string, unknown[]>,
    };
    await liveTail.open({
      selection,
      lastEventId: (request.headers as TailHeaders)['last-event-id'],
      response: reply.raw,
      headers: reply.getHeaders(),
      recheck: () => recheck(request),
    });
    reply.hijack();
  };
  for (const { kind, plural, operation, tag, item, example } of streams) {
    const schema = {
      description: `${item} ${RULES}`,
      tags: [tag],
      headers: tailHeaders,
      response: { 200: tailAnswer(example), ...problemAnswers },
    };
    api.get(
      `/v1/tenants/:tenant/${plural}/tail`,
      {
        config: { access: 'read', visibility: 'applied' },
        exposeHeadRoute: false,
        schema: {
          ...schema,
          operationId: `tail${operation}`,
          summary: `Follow a tenant's ${plural} as they happen`,
          params: tenantParams,
          querystring: tailQueries[kind].ofTenant,
        },
      },
      async (request, reply) =>
        answerWith(kind, request, reply, await lives.of(request.params.tenant)),
    );
    api.get(
      `/v1/${plural}/tail`,
      {
        config: { access: 'platform' },
        exposeHeadRoute: false,
        schema: {
          ...schema,
          operationId: `tailAll${operation}`,
          summary: `Follow the ${plural} of all tenants as they happen`,
          querystring: tailQueries[kind].ofAll,
        },
      },
      (request, reply) => answerWith(kind, request, reply),
    );
  }
}
