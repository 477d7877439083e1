/**
 * The HTTP server of a process: ingress and control register their routes on it. One place for time limits
 * (IN-13), the form of errors (IN-9), correlation ids, security headers (SE-2) and how requests are
 * validated. Ingress answers thousands of requests a second through it: nothing here is asynchronous,
 * and nothing is made for each request but what is sent.
 */
import type { IncomingMessage } from 'node:http';
import { Ajv } from 'ajv';
import formats from 'ajv-formats';
import { fastify, type FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import type { Settings } from '#config/schema.ts';
import { newId } from '#domain/ids.ts';
import { limits } from '#domain/limits.ts';
import { problemAnswers } from '#wire/api/problem.ts';
import { answer, named } from '#wire/openapi/describe.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { decodeBodies } from './body/decode-bodies.ts';
import { parseJsonBodies } from './body/parse-json-bodies.ts';
import { sendError } from './problem.ts';
import { answerUnrouted } from '../protocol/answer-unrouted.ts';
import { checkRequestHead } from '../protocol/check-request-head.ts';
import { answerClientError, answerConnect, answerExpectation } from '../protocol/client-error.ts';
import { RouteTable } from '../protocol/route-table.ts';

export interface AppDeps {
  settings: Pick<
    Settings,
    | 'POSTHORN_HTTP_READ_TIMEOUT_MS'
    | 'POSTHORN_HTTP_IDLE_TIMEOUT_MS'
    | 'POSTHORN_HTTP_WRITE_TIMEOUT_MS'
  >;
  log: Log;
}

const PLUGIN_TIMEOUT_MS = 60_000;

/** An API answers data, never a page: nothing may be loaded, framed, guessed or kept (OWASP REST cheat sheet). */
const SECURITY_HEADERS = {
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
  'strict-transport-security': 'max-age=31536000',
};

/**
 * A server without routes but `GET /health`. Bodies are bounded by `limits.requestBodyBytesMax`; a route
 * that takes more says so itself (`bodyLimit`).
 */
export function createApp({ settings, log }: AppDeps): FastifyInstance {
  const app = fastify({
    // No logger: Fastify would make a child of it for every request.
    logger: false,
    genReqId: correlationId,
    requestIdHeader: false,
    // The reference is built at the start: on a machine that is busy with other things that takes longer than 10 s.
    pluginTimeout: PLUGIN_TIMEOUT_MS,
    bodyLimit: limits.requestBodyBytesMax,
    requestTimeout: settings.POSTHORN_HTTP_READ_TIMEOUT_MS,
    keepAliveTimeout: settings.POSTHORN_HTTP_IDLE_TIMEOUT_MS,
    connectionTimeout: settings.POSTHORN_HTTP_WRITE_TIMEOUT_MS,
    http: {
      headersTimeout: settings.POSTHORN_HTTP_READ_TIMEOUT_MS,
      // Node looks for late requests every 30 s unless told otherwise, and by then the socket's own limit is over.
      connectionsCheckingInterval: lateCheckMs(settings.POSTHORN_HTTP_READ_TIMEOUT_MS),
      // Node would answer without a body; `checkRequestHead` says what is missing.
      requireHostHeader: false,
    },
    forceCloseConnections: 'idle',
    // An event id of 200 characters may stand in a path, every byte of it percent-encoded.
    routerOptions: { maxParamLength: limits.eventIdLengthMax * 9 },
    clientErrorHandler: answerClientError,
    frameworkErrors: (error, request, reply) => {
      reply.headers(SECURITY_HEADERS).header('x-request-id', request.id);
      sendError(log, error, request, reply);
    },
  });
  app.server.on('checkExpectation', answerExpectation);
  app.server.on('connect', answerConnect);
  const routes = RouteTable.watch(app);
  app.addHook('onRequest', (request, reply, done) => {
    reply.headers(SECURITY_HEADERS).header('x-request-id', request.id);
    try {
      checkRequestHead(request.raw);
      // Before anything of a body is read, whatever it is.
      if (request.is404) answerUnrouted(routes, request, reply);
      else done();
    } catch (error) {
      done(error as Error);
    }
  });
  decodeBodies(app);
  app.setErrorHandler((error, request, reply) => sendError(log, error, request, reply));
  // Fastify would take it as a body that is a string, and refuse that for its form.
  app.removeContentTypeParser('text/plain');
  parseJsonBodies(app);
  setCompilers(app);
  app.get('/health', { schema: healthSchema }, (_request, reply) => {
    reply.header('content-type', 'application/json; charset=utf-8').send('{"status":"ok"}');
  });
  return app;
}

/** A tenth of the limit, so that 408 comes at its time, and between 50 ms and a second. */
function lateCheckMs(limitMs: number): number {
  return Math.min(1000, Math.max(50, limitMs / 10));
}

/** Of `GET /health`. */
export const healthSchema = {
  operationId: 'getHealth',
  summary: 'Is this process up',
  description:
    'Needs no key. Says nothing about NATS or MongoDB: `/readyz` on the private port does.',
  tags: ['Operations'],
  security: [],
  response: {
    200: answer(
      named('Health', Type.Object({ status: Type.Literal('ok') }), { description: 'It is up.' }),
      {
        description: 'It is up.',
      },
    ),
    ...problemAnswers,
  },
};

/**
 * Values are taken as they come: in a body a string is not a number, and a field that is not known is
 * refused by the schemas, not dropped. Only a path and a query, which are text, are converted.
 */
function setCompilers(app: FastifyInstance): void {
  const options = { allErrors: true, removeAdditional: false, useDefaults: true, strict: false };
  const bodies = formats.default(new Ajv(options));
  const texts = formats.default(new Ajv({ ...options, coerceTypes: true }));
  app.setValidatorCompiler(({ schema, httpPart }) =>
    (httpPart === 'body' ? bodies : texts).compile(schema as object),
  );
  // Response schemas describe the answers for the reference; they do not rewrite them.
  app.setSerializerCompiler(() => JSON.stringify);
}

const SANE_ID = /^[A-Za-z0-9._:/+=-]{1,128}$/;

/** The caller's correlation id where it is a sane one, else a new one. */
function correlationId(request: IncomingMessage): string {
  const given = request.headers['x-request-id'] ?? request.headers['x-correlation-id'];
  return typeof given === 'string' && SANE_ID.test(given) ? given : newId('req');
}
