/**
 * The HTTP server of a process: ingress and control register their routes on it. It sets time
 * limits (IN-13), the format of errors (IN-9), correlation ids, security headers (SE-2) and the
 * validation of requests in one place. Ingress answers thousands of requests a second through it:
 * nothing here is asynchronous, and only the answer itself is allocated for each request.
 */
import type { IncomingMessage } from 'node:http';
import type { Server as TlsServer } from 'node:tls';
import { Ajv } from 'ajv';
import formats from 'ajv-formats';
import { fastify, type FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';
import { Type } from 'typebox';
import type { HttpSettings } from '#config/sections.ts';
import type { Clock } from '#domain/clock.ts';
import { isWithin, parseNetworks } from '#domain/endpoint/egress.ts';
import { newId } from '#domain/ids.ts';
import { limits } from '#domain/limits.ts';
import { problemAnswers } from '#wire/api/problem.ts';
import { answer, named } from '#wire/openapi/describe.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { acceptEmptyBodies } from './body/accept-empty-bodies.ts';
import { decodeBodies } from './body/decode-bodies.ts';
import { parseJsonBodies } from './body/parse-json-bodies.ts';
import { withConvertedTexts } from './convert-texts.ts';
import { measureRequests } from './measure-requests.ts';
import { sendError } from './problem.ts';
import type { ServerCertificate } from './server-certificate.ts';
import { answerUnrouted } from '../protocol/answer-unrouted.ts';
import { registerErrorPages } from '../error-pages/route.ts';
import { checkRequestHead } from '../protocol/check-request-head.ts';
import { answerClientError, answerConnect, answerExpectation } from '../protocol/client-error.ts';
import { RouteTable } from '../protocol/route-table.ts';

export interface AppDeps {
  settings: HttpSettings;
  /** Absent: requests are not measured. */
  registry?: Registry | undefined;
  /** Undefined: the server speaks plain HTTP. */
  certificate?: ServerCertificate | undefined;
  clock: Clock;
  log: Log;
}

const PLUGIN_TIMEOUT_MS = 60_000;

/**
 * An API answers data, never a page: a browser must not load, frame, sniff or cache it (OWASP REST
 * cheat sheet).
 */
const SECURITY_HEADERS = {
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
  'strict-transport-security': 'max-age=31536000',
};

/**
 * Creates a server with `GET /health` alone. Bodies are bounded by `limits.requestBodyBytesMax`; a
 * route with larger bodies sets its own `bodyLimit`.
 */
export function createApp(deps: AppDeps): FastifyInstance {
  const { settings, registry, certificate, clock, log } = deps;
  const app = fastify({
    // No logger: Fastify would create a child logger for every request.
    logger: false,
    genReqId: (request) => correlationId(request, clock),
    requestIdHeader: false,
    // The API reference is built at the start, which takes longer than 10 s on a busy machine.
    pluginTimeout: PLUGIN_TIMEOUT_MS,
    bodyLimit: limits.requestBodyBytesMax,
    requestTimeout: settings.readTimeoutMs,
    keepAliveTimeout: settings.idleTimeoutMs,
    connectionTimeout: settings.writeTimeoutMs,
    ...trustOf(settings),
    ...serverOptions(settings, certificate),
    forceCloseConnections: 'idle',
    // A path may contain an event id of 200 characters, every byte of it percent-encoded.
    routerOptions: { maxParamLength: limits.eventIdLengthMax * 9 },
    clientErrorHandler: (error, socket) => answerClientError(error, socket, clock),
    frameworkErrors: (error, request, reply) => {
      reply.headers(SECURITY_HEADERS).header('x-request-id', request.id);
      sendError(log, error, request, reply);
    },
  });
  certificate?.follow(app.server as object as TlsServer);
  app.server.on('checkExpectation', (request, response) =>
    answerExpectation(request, response, clock),
  );
  app.server.on('connect', (request, socket) => answerConnect(request, socket, clock));
  const routes = RouteTable.watch(app);
  // First, so that it measures requests that a later hook refuses.
  if (registry !== undefined) measureRequests(app, registry, clock);
  app.addHook('onRequest', (request, reply, done) => {
    reply.headers(SECURITY_HEADERS).header('x-request-id', request.id);
    try {
      checkRequestHead(request.raw);
      // Before reading any of the body.
      if (request.is404) answerUnrouted(routes, request, reply);
      else done();
    } catch (error) {
      done(error as Error);
    }
  });
  decodeBodies(app);
  app.setErrorHandler((error, request, reply) => sendError(log, error, request, reply));
  // Fastify would accept it as a string body, and then refuse it by the schema.
  app.removeContentTypeParser('text/plain');
  parseJsonBodies(app);
  acceptEmptyBodies(app);
  setCompilers(app);
  registerErrorPages(app);
  app.get('/health', { schema: healthSchema }, (_request, reply) => {
    reply.header('content-type', 'application/json; charset=utf-8').send('{"status":"ok"}');
  });
  return app;
}

/** Without proxies, `x-forwarded-for` is a text that any caller can send. */
function trustOf({ trustedProxies = '' }: HttpSettings): {
  trustProxy?: (address: string) => boolean;
} {
  if (trustedProxies === '') return {};
  const proxies = parseNetworks(trustedProxies);
  return { trustProxy: (address) => isWithin(proxies, address) };
}

/** Options of the server of Node, with or without TLS. */
function serverOptions(settings: HttpSettings, certificate: ServerCertificate | undefined) {
  const http = {
    headersTimeout: settings.readTimeoutMs,
    // Node checks for late requests every 30 s by default, later than the socket's own limit.
    connectionsCheckingInterval: lateCheckMs(settings.readTimeoutMs),
    // Node would answer without a body; `checkRequestHead` explains the fault.
    requireHostHeader: false,
  };
  if (certificate === undefined) return { http };
  const https = { ...http, ...certificate.pair, handshakeTimeout: settings.readTimeoutMs };
  // Fastify's types know a server of TLS as another type, with the same methods.
  return { https } as object as { http: typeof http };
}

/** A tenth of the limit, so that 408 comes on time, and between 50 ms and a second. */
function lateCheckMs(limitMs: number): number {
  return Math.min(1000, Math.max(50, limitMs / 10));
}

/** The answer of `GET /health`. */
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
 * Values are not converted: in a body a string is not a number, and the schemas refuse an unknown
 * field instead of dropping it. Only a path and a query, which are text, are converted
 * (`withConvertedTexts`): Ajv's conversion would take `0x10`, `1e2` and `5.0` for integers.
 */
function setCompilers(app: FastifyInstance): void {
  const options = { allErrors: true, removeAdditional: false, useDefaults: true, strict: false };
  // Verbose, because an error of a discriminator does not name the allowed values.
  const bodies = formats.default(new Ajv({ ...options, discriminator: true, verbose: true }));
  const texts = formats.default(new Ajv(options));
  app.setValidatorCompiler(({ schema, httpPart }) =>
    httpPart === 'body'
      ? bodies.compile(schema as object)
      : withConvertedTexts(schema as object, texts.compile(schema as object)),
  );
  // Response schemas describe the answers for the API reference; they do not rewrite them.
  app.setSerializerCompiler(() => JSON.stringify);
}

const CORRELATION_ID = /^[A-Za-z0-9._:/+=-]{1,128}$/;

/** Returns the caller's correlation id if it is valid, else a new one. */
function correlationId(request: IncomingMessage, clock: Clock): string {
  const given = request.headers['x-request-id'] ?? request.headers['x-correlation-id'];
  return typeof given === 'string' && CORRELATION_ID.test(given)
    ? given
    : newId('req', clock.wallMs());
}
