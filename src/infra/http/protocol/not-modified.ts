import type { FastifyInstance } from 'fastify';
import { matchesNone } from '#wire/revision.ts';

/**
 * Answers a GET or HEAD of this scope with 304 where `if-none-match` names the `etag` of the answer
 * (RFC 9110, section 15.4.5). The resource is still read: this saves only its transfer.
 */
export function answerNotModified(scope: FastifyInstance): void {
  scope.addHook('onSend', (request, reply, payload, done) => {
    const asked = request.headers['if-none-match'];
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    if (asked === undefined || !isRead || reply.statusCode !== 200) {
      done(null, payload);
      return;
    }
    if (matchesNone(asked, reply.getHeader('etag') as string | undefined)) {
      done(null, payload);
      return;
    }
    reply.code(304).removeHeader('content-type').removeHeader('content-length');
    // Not null: for a HEAD, Fastify reads the length of the payload.
    done(null, '');
  });
}
