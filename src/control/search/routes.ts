/**
 * Routes of the lists and counts of events, deliveries and attempts (CT-5), of one tenant and of
 * all tenants.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { TSchema } from 'typebox';
import { problemAnswers } from '#wire/api/problem.ts';
import {
  allAttemptCountQuery,
  allAttemptListQuery,
  attemptCountQuery,
  type AttemptListQuery,
  attemptListQuery,
  attemptParams,
  attemptSearchPage,
  linkedAttempt,
} from '#wire/api/search/attempt-list.ts';
import {
  allDeliveryCountQuery,
  allDeliveryListQuery,
  deliveryCountQuery,
  type DeliveryListQuery,
  deliveryListQuery,
  deliverySearchPage,
} from '#wire/api/search/delivery-list.ts';
import {
  allEventCountQuery,
  allEventListQuery,
  eventCountQuery,
  type EventListQuery,
  eventListQuery,
  eventPage,
} from '#wire/api/search/event-list.ts';
import { listCount } from '#wire/api/search/search-fields.ts';
import { tenantParams } from '#wire/api/tenant.ts';
import { summarizeDelivery } from '../history/delivery-reads.ts';
import { summarizeEvent } from '../history/event-reads.ts';
import { type Api, principalOf } from '../routes/access.ts';
import { type EventDataDeps, eventDataPage } from './event-data-page.ts';
import type { HistoryLists, SearchPage } from './history-lists.ts';
import { showAttempt, summarizeAttempt } from './resources.ts';
import type { SearchScope, SearchScopes } from './search-scope.ts';

export interface SearchParts {
  lists: HistoryLists;
  scopes: SearchScopes;
  eventData: EventDataDeps;
}

/** A kind of item with its lists. */
interface Listed {
  /** In paths. */
  name: string;
  /** In ids of operations. */
  Name: string;
  note: string;
  page: TSchema;
  queries: Readonly<Record<'list' | 'count' | 'allList' | 'allCount', TSchema>>;
  list: (scope: SearchScope, query: never) => Promise<unknown>;
  count: (scope: SearchScope, query: object) => Promise<unknown>;
}

const COMBINED =
  'An item is listed if it matches all filters. A repeated filter names several values, of which the item has one. ' +
  'Filters without an index are compared within bounds; `partial` then says where the search stopped.';
const COUNTED = 'Takes the filters of the list.';

export function registerSearchRoutes(api: Api, parts: SearchParts): void {
  for (const listed of [eventsOf(parts), deliveriesOf(parts), attemptsOf(parts)]) {
    registerTenantLists(api, parts, listed);
    registerPlatformLists(api, parts, listed);
  }
  registerAttempt(api, parts);
}

function eventsOf({ lists, eventData }: SearchParts): Listed {
  return {
    name: 'events',
    Name: 'Events',
    note: 'Shows events of the retention period, without their data unless `include=data` asks for it.',
    page: eventPage,
    queries: {
      list: eventListQuery,
      count: eventCountQuery,
      allList: allEventListQuery,
      allCount: allEventCountQuery,
    },
    list: async (scope, query: EventListQuery) => {
      const page = await lists.events(scope, query);
      if (query.include === undefined) return show(page, summarizeEvent);
      return eventDataPage(eventData, scope, query, page);
    },
    count: (scope, query) => lists.countEvents(scope, query),
  };
}

function deliveriesOf({ lists }: SearchParts): Listed {
  return {
    name: 'deliveries',
    Name: 'Deliveries',
    note: 'Filters on the response and the failure compare the last attempt.',
    page: deliverySearchPage,
    queries: {
      list: deliveryListQuery,
      count: deliveryCountQuery,
      allList: allDeliveryListQuery,
      allCount: allDeliveryCountQuery,
    },
    list: async (scope, query: DeliveryListQuery) =>
      show(await lists.deliveries(scope, query), summarizeDelivery),
    count: (scope, query) => lists.countDeliveries(scope, query),
  };
}

function attemptsOf({ lists, eventData: { config } }: SearchParts): Listed {
  return {
    name: 'attempts',
    Name: 'Attempts',
    note: 'Shows attempts by the time of their start, without responses unless `include=response` asks for them.',
    page: attemptSearchPage,
    queries: {
      list: attemptListQuery,
      count: attemptCountQuery,
      allList: allAttemptListQuery,
      allCount: allAttemptCountQuery,
    },
    list: async (scope, query: AttemptListQuery) =>
      show(
        await lists.attempts(scope, query),
        query.include === 'response' ? (attempt) => showAttempt(config, attempt) : summarizeAttempt,
      ),
    count: (scope, query) => lists.countAttempts(scope, query),
  };
}

function show<D, T>(page: SearchPage<D>, summarize: (document: D) => T) {
  const { documents, next_cursor, partial } = page;
  return { data: documents.map((document) => summarize(document)), next_cursor, partial };
}

function registerTenantLists(api: Api, { scopes }: SearchParts, listed: Listed): void {
  const { name, Name, note, page, queries } = listed;
  const scopeOf = (request: FastifyRequest) => {
    const { tenant } = request.params as { tenant: string };
    return scopes.ofTenant(tenant, principalOf(request));
  };
  const shared = { tags: [Name], params: tenantParams };
  api.get(
    `/v1/tenants/:tenant/${name}`,
    {
      config: { access: 'read', visibility: 'applied' },
      schema: {
        operationId: `list${Name}`,
        summary: `List a tenant's ${name}`,
        description: `${note} ${COMBINED}`,
        ...shared,
        querystring: queries.list,
        response: { 200: page, ...problemAnswers },
      },
    },
    async (request, reply) =>
      sendJson(reply, await listed.list(await scopeOf(request), request.query as never)),
  );
  api.get(
    `/v1/tenants/:tenant/${name}/count`,
    {
      config: { access: 'read', visibility: 'applied' },
      schema: {
        operationId: `count${Name}`,
        summary: `Count a tenant's ${name}`,
        description: COUNTED,
        ...shared,
        querystring: queries.count,
        response: { 200: listCount, ...problemAnswers },
      },
    },
    async (request) => listed.count(await scopeOf(request), request.query as object) as never,
  );
}

function registerPlatformLists(api: Api, { scopes }: SearchParts, listed: Listed): void {
  const { name, Name, note, page, queries } = listed;
  const scopeOf = (request: FastifyRequest) => {
    const { tenant_id: tenants } = request.query as { tenant_id?: string[] };
    return scopes.ofPlatform(tenants, principalOf(request));
  };
  api.get(
    `/v1/${name}`,
    {
      config: { access: 'platform' },
      schema: {
        operationId: `listAll${Name}`,
        summary: `List the ${name} of all tenants, or of some`,
        description: `${note} With \`tenant_id\` the indexes of the tenant serve the filters; without it only the time has an index. ${COMBINED}`,
        tags: [Name],
        querystring: queries.allList,
        response: { 200: page, ...problemAnswers },
      },
    },
    async (request, reply) =>
      sendJson(reply, await listed.list(await scopeOf(request), request.query as never)),
  );
  api.get(
    `/v1/${name}/count`,
    {
      config: { access: 'platform' },
      schema: {
        operationId: `countAll${Name}`,
        summary: `Count the ${name} of all tenants, or of some`,
        description: COUNTED,
        tags: [Name],
        querystring: queries.allCount,
        response: { 200: listCount, ...problemAnswers },
      },
    },
    async (request) => listed.count(await scopeOf(request), request.query as object) as never,
  );
}

/** Sends JSON text as it is, and anything else as JSON. */
function sendJson(reply: FastifyReply, body: unknown): FastifyReply {
  return reply.header('content-type', 'application/json; charset=utf-8').send(body);
}

function registerAttempt(api: Api, { lists, scopes, eventData }: SearchParts): void {
  api.get(
    '/v1/tenants/:tenant/attempts/:attempt',
    {
      config: { access: 'read', visibility: 'applied' },
      schema: {
        operationId: 'getAttempt',
        summary: 'Read an attempt with its response',
        description: 'Shows the headers and the first 4 KiB of the response.',
        tags: ['Attempts'],
        params: attemptParams,
        response: { 200: linkedAttempt, ...problemAnswers },
      },
    },
    async (request) => {
      const { tenant, attempt: id } = request.params;
      const scope = await scopes.ofTenant(tenant, principalOf(request));
      return showAttempt(eventData.config, await lists.attempt(scope, id));
    },
  );
}
