/**
 * Serves the API reference (CT-12): `/openapi.json`, built from the schemas that validate requests,
 * and the page `/docs` that shows it.
 */
import { fastifySwagger } from '@fastify/swagger';
import { fastifySwaggerUi } from '@fastify/swagger-ui';
import type { FastifyInstance, RouteOptions } from 'fastify';
import { type TObject, Type } from 'typebox';
import { errorPageSchema } from '#infra/http/error-pages/route.ts';
import { createApp, type AppDeps, healthSchema } from '#infra/http/server/app.ts';
import { MERGE_PATCH_TYPE } from '#infra/http/server/body/parse-json-bodies.ts';
import { publishRoutes } from '#wire/api/events-ingress.ts';
import { idempotencyKeyHeader, preconditionHeaders } from '#wire/api/fields.ts';
import { answer, answerFactsOf } from '#wire/openapi/describe.ts';
import { ERROR_PAGES } from '#wire/problem.ts';
import { PRECONDITION_PATTERN } from '#wire/revision.ts';
import { buildDocument } from './document.ts';
import type { RouteSchema } from './route-schema.ts';

export interface ReferenceDeps extends AppDeps {
  /** Registers the routes of the control API. */
  registerApi: (app: FastifyInstance) => void;
  /** Base URL of the API for callers; absent: unknown. */
  publicUrl: string | undefined;
}

/** The page loads everything from this server; some of its styles and images are inline. */
const PAGE_CSP =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
  "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/**
 * Registers the document and the page. Neither needs an API key: they describe the API and hold no
 * data.
 */
export function registerReferenceRoutes(app: FastifyInstance, deps: ReferenceDeps): void {
  void app.register(async (scope) => {
    const document = await buildReference(deps);
    const json = JSON.stringify(document);
    scope.get('/openapi.json', { schema: { hide: true } }, (_request, reply) => {
      reply.header('content-type', 'application/json; charset=utf-8').send(json);
    });
    await scope.register(fastifySwagger, {
      mode: 'static',
      specification: { document: document as never },
    });
    await scope.register(fastifySwaggerUi, {
      routePrefix: '/docs',
      staticCSP: PAGE_CSP,
      uiConfig: { docExpansion: 'list', deepLinking: true, tryItOutEnabled: false },
      theme: { title: 'Posthorn API' },
    });
  });
}

/**
 * Builds the document from the routes of both roles, on a server that never listens: this process
 * may have only one of the roles, but the document covers the whole API.
 */
async function buildReference(deps: ReferenceDeps): Promise<object> {
  const app = createApp(deps);
  const routes: RouteSchema[] = [
    { method: 'GET', url: '/health', ...healthSchema },
    { method: 'GET', url: `${ERROR_PAGES}:code`, ...errorPageSchema },
  ];
  void app.register((scope, _options, done) => {
    scope.addHook('onRoute', (route) => {
      if (isDescribed(route)) routes.push(describedRoute(route));
    });
    deps.registerApi(scope);
    done();
  });
  await app.ready();
  await app.close();
  for (const [url, schema] of Object.entries(publishRoutes)) {
    routes.push({ method: 'POST', url, ...schema });
  }
  return buildDocument(routes, deps.publicUrl);
}

/** Fastify adds a `HEAD` route for each `GET` route. */
function isDescribed({ schema, method }: RouteOptions): boolean {
  return schema?.hide !== true && method !== 'HEAD';
}

function describedRoute({ schema, method, url }: RouteOptions): RouteSchema {
  const described = {
    ...(schema as Omit<RouteSchema, 'method' | 'url'>),
    method: method as string,
    url,
  };
  // `answerOnce` and `applyReadPreconditions` read these headers on every route of their method.
  if (method === 'PATCH') return withPattern(withMergePatch(described));
  // A route without a caller is not among those of `answerOnce`.
  const isRepeatable = method === 'POST' && described.security?.length !== 0;
  if (isRepeatable) return withHeaders(withPattern(described), idempotencyKeyHeader);
  return withPattern(hasEtag(described) ? withNotModified(described) : described);
}

/**
 * Adds the pattern of entity tags. The schemas of the routes leave it out, because
 * `evaluatePreconditions` words the error better than a pattern.
 */
function withPattern(route: RouteSchema): RouteSchema {
  const { 'if-match': ifMatch, 'if-none-match': ifNoneMatch } = preconditionHeaders.properties;
  if (!Object.hasOwn(route.headers?.properties ?? {}, 'if-match')) return route;
  const pattern = PRECONDITION_PATTERN;
  const patterned = {
    'if-match': Type.Optional(Type.String({ ...ifMatch, pattern })),
    'if-none-match': Type.Optional(Type.String({ ...ifNoneMatch, pattern })),
  };
  return withHeaders(route, Type.Object(patterned));
}

/** Both media types mean the same: most clients send the first one. */
function withMergePatch(route: RouteSchema): RouteSchema {
  const { body } = route;
  if (body === undefined) return route;
  return { ...route, bodies: { 'application/json': body, [MERGE_PATCH_TYPE]: body } };
}

function hasEtag({ method, response }: RouteSchema): boolean {
  const success = response['200'];
  if (method !== 'GET' || success === undefined) return false;
  return answerFactsOf(success)?.headers?.includes('etag') === true;
}

function withNotModified(route: RouteSchema): RouteSchema {
  const description = 'The resource still has an ETag that `if-none-match` names.';
  const notModified = answer(Type.Null(), { description, headers: ['etag'] });
  const response = { ...route.response, 304: notModified };
  return withHeaders({ ...route, response }, preconditionHeaders);
}

function withHeaders(route: RouteSchema, { properties }: TObject): RouteSchema {
  return { ...route, headers: Type.Object({ ...route.headers?.properties, ...properties }) };
}
