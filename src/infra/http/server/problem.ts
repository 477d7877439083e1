import type { FastifyReply, FastifyRequest } from 'fastify';
import type { PosthornError } from '#domain/errors.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { PROBLEM_MEDIA_TYPE, problemOf } from '#wire/problem.ts';
import { normalizeTraceparent } from '#wire/frames/trace-context.ts';
import { ACCEPT_ENCODING } from './body/content-coding.ts';
import { classifyError } from './classify-error.ts';

/** Answers a thrown error as problem details, and logs an unexpected one with its stack. */
export function sendError(
  log: Log,
  thrown: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const error = classifyError(thrown);
  if (error.code === 'POSTHORN_UNEXPECTED') {
    const route = request.routeOptions.url ?? 'none';
    log.error(
      {
        err: thrown,
        request_id: request.id,
        traceparent: normalizeTraceparent(request.headers['traceparent']),
        method: request.method,
        route,
      },
      'http.unexpected_error',
    );
  }
  sendProblem(error, request, reply);
}

/** Answers with the error as `application/problem+json` (RFC 9457). */
export function sendProblem(
  error: PosthornError,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  if (error.retryAfterSeconds !== undefined) {
    reply.header('retry-after', String(error.retryAfterSeconds));
  }
  // RFC 9110, section 11.6.1: a 401 names an accepted scheme.
  if (error.status === 401) reply.header('www-authenticate', 'Bearer');
  // RFC 9110, section 15.5.16: the answer names the accepted codings.
  if (error.code === 'POSTHORN_CONTENT_CODING_UNSUPPORTED') {
    reply.header('accept-encoding', ACCEPT_ENCODING);
  }
  const query = request.url.indexOf('?');
  const instance = query < 0 ? request.url : request.url.slice(0, query);
  reply.code(error.status).header('content-type', PROBLEM_MEDIA_TYPE);
  // Bytes, because Fastify adds a charset to text, and this media type has no such parameter.
  reply.send(Buffer.from(JSON.stringify(problemOf(error, instance, request.id))));
}
