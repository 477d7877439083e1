import type { FastifyReply, FastifyRequest } from 'fastify';
import { PosthornError } from '#domain/errors.ts';
import { sendProblem } from '../server/problem.ts';
import type { RouteTable } from './route-table.ts';

/**
 * Answers a request without a route: 204 or 405 with `allow` if its path has other methods, else
 * 404.
 */
export function answerUnrouted(
  routes: RouteTable,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const path = request.url.split('?', 1)[0] as string;
  const allowed = routes.allowed(path).join(', ');
  if (allowed === '') {
    const detail = `There is no ${request.method} ${path}`;
    sendProblem(new PosthornError('POSTHORN_ROUTE_UNKNOWN', { detail }), request, reply);
    return;
  }
  reply.header('allow', allowed);
  if (request.method === 'OPTIONS') {
    reply.code(204).send();
    return;
  }
  const detail = `${path} has no ${request.method}; it has ${allowed}`;
  sendProblem(new PosthornError('POSTHORN_METHOD_NOT_ALLOWED', { detail }), request, reply);
}
