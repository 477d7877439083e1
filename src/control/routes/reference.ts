/** The reference (CT-12): `/openapi.json`, from the schemas that validate, and the page `/docs` that shows it. */
import { fastifySwagger } from '@fastify/swagger';
import { fastifySwaggerUi } from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import { createApp, type AppDeps } from '#infra/http/app.ts';
import {
  broadcastBatchSchema,
  broadcastSchema,
  publishBatchSchema,
  publishSchema,
} from '#wire/api/events-ingress.ts';

export interface ReferenceDeps extends AppDeps {
  /** Registers the routes of the control API. */
  registerApi: (app: FastifyInstance) => void;
}

/** What the page loads comes from here; its styles and pictures are partly in the markup. */
const PAGE_CSP =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
  "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/** Both need no key: they say how to ask, not what the answers are. */
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
 * Builds the document from the routes of both roles, on a server that never listens: this process may have
 * only one of the roles, and the document is of the whole API.
 */
export async function buildReference(deps: ReferenceDeps): Promise<object> {
  const app = createApp(deps);
  await app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Posthorn',
        version: '1',
        description: 'Webhook delivery: producers publish events, tenants receive them, signed.',
      },
      components: {
        securitySchemes: {
          key: { type: 'http', scheme: 'bearer', description: 'An API key: `phk_…`' },
        },
      },
      security: [{ key: [] }],
    },
  });
  void app.register((scope, _options, done) => {
    deps.registerApi(scope);
    describeIngress(scope);
    done();
  });
  await app.ready();
  const document = app.swagger();
  await app.close();
  return document;
}

/** Ingress reads its bodies itself, so here its routes only look like routes. */
function describeIngress(scope: FastifyInstance): void {
  const consumes = [
    'application/json',
    'application/cloudevents+json',
    'application/cloudevents-batch+json',
  ];
  scope.post('/v1/tenants/:tenant/events', { schema: { ...publishSchema, consumes } }, never);
  scope.post('/v1/tenants/:tenant/events/batch', { schema: publishBatchSchema }, never);
  scope.post('/v1/events', { schema: { ...broadcastSchema, consumes } }, never);
  scope.post('/v1/events/batch', { schema: broadcastBatchSchema }, never);
}

function never(): never {
  throw new Error('this route only describes');
}
