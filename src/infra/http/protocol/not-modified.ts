import type { FastifyInstance } from 'fastify';
import { PROBLEM_MEDIA_TYPE, problemOf } from '#wire/problem.ts';
import { evaluatePreconditions, preconditionFailed } from '#wire/revision.ts';

/**
 * Applies the preconditions of each GET and HEAD of this scope to the `etag` of its answer (RFC
 * 9110, section 13.2): 304 if `if-none-match` names it, 412 if `if-match` does not. Only an
 * answer of 200 has preconditions. The resource is still read: this saves only its transfer.
 */
export function applyReadPreconditions(scope: FastifyInstance): void {
  scope.addHook('onSend', (request, reply, payload, done) => {
    const { headers, method } = request;
    const isConditional =
      headers['if-match'] !== undefined || headers['if-none-match'] !== undefined;
    const isRead = method === 'GET' || method === 'HEAD';
    if (!isConditional || !isRead || reply.statusCode !== 200) {
      done(null, payload);
      return;
    }
    const selected = { exists: true, etag: reply.getHeader('etag') as string | undefined } as const;
    try {
      const result = evaluatePreconditions(method, headers, selected);
      if (result === 'proceed') {
        done(null, payload);
        return;
      }
      reply.removeHeader('content-length');
      if (result === 'not_modified') {
        reply.code(304).removeHeader('content-type');
        // Not null: for a HEAD, Fastify reads the length of the payload.
        done(null, '');
        return;
      }
      const error = preconditionFailed(selected, 'read it without if-match');
      const [path = ''] = request.url.split('?', 1);
      reply.code(error.status).header('content-type', PROBLEM_MEDIA_TYPE);
      done(null, JSON.stringify(problemOf(error, path, request.id)));
    } catch (error) {
      done(error as Error);
    }
  });
}
