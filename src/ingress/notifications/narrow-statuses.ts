import type { FastifyInstance } from 'fastify';

/** The error statuses that a forwarder knows. */
const KNOWN = new Set([400, 401, 409, 429, 500]);

/** The status of an error in an answer to a forwarder. */
export function narrowStatus(status: number): number {
  if (status < 400 || KNOWN.has(status)) return status;
  if (status >= 500) return 500;
  return status === 403 ? 401 : 400;
}

/**
 * Answers errors of a scope with a status that a forwarder knows. The body keeps the code of
 * the error.
 *
 * @param schemes accepted ones, for `www-authenticate`
 */
export function narrowStatuses(scope: FastifyInstance, schemes: string): void {
  scope.addHook('onSend', (_request, reply, payload, done) => {
    const { statusCode } = reply;
    const status = narrowStatus(statusCode);
    if (status === 401) reply.header('www-authenticate', schemes);
    if (status === statusCode) {
      done(null, payload);
      return;
    }
    const problem = JSON.parse(String(payload)) as Record<string, unknown>;
    const bytes = Buffer.from(JSON.stringify({ ...problem, status }));
    reply.code(status).header('content-length', bytes.length);
    done(null, bytes);
  });
}
