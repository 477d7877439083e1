import type { FastifyInstance } from 'fastify';
import { limits } from '#domain/limits.ts';
import { PosthornError } from '#domain/errors.ts';
import {
  type Authenticate,
  requireBroadcast,
  requireTenant,
} from '#infra/http/server/authenticate.ts';
import { classifyError } from '#infra/http/server/classify-error.ts';
import { sendError } from '#infra/http/server/problem.ts';
import { refuseQuery } from '#infra/http/protocol/refuse-query.ts';
import type { Tracing } from '#infra/telemetry/tracing.ts';
import type { FairDoor } from '../fairness/tenant-concurrency-limiter.ts';
import {
  BODY_SLACK_BYTES,
  PublishRequests,
  type PublishRequestsDeps,
  type TenantParams,
} from './publish-requests.ts';
import { traceRequests } from './trace-requests.ts';

export interface IngressRoutesDeps extends PublishRequestsDeps {
  authenticate: Authenticate;
  /** Before the requests for one tenant. */
  door: FairDoor;
  tracing?: Tracing | undefined;
}

/**
 * Registers the producers' routes in a scope of their own: there, bodies stay bytes. A key is asked for before
 * anything of the request is read, and before the door: who has none takes up neither memory nor a tenant's turns.
 */
export function registerIngressRoutes(app: FastifyInstance, deps: IngressRoutesDeps): void {
  void app.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, parsed) => {
      parsed(null, body);
    });
    scope.setErrorHandler((error, request, reply) =>
      sendError(deps.log, ofEvents(error), request, reply),
    );
    // Its span begins before the door: the wait there is a part of it.
    const requests = new PublishRequests(deps, traceRequests(scope, deps.tracing));
    scope.addHook<TenantParams>('onRequest', (request, reply, goOn) => {
      const { tenant } = request.params;
      try {
        const principal = deps.authenticate(request.headers.authorization);
        if (tenant === undefined) requireBroadcast(principal);
        else requireTenant(principal, tenant, 'publish');
        requests.authenticated(request, principal);
        refuseQuery(request);
      } catch (error) {
        goOn(error as Error);
        return;
      }
      if (tenant === undefined) goOn();
      else deps.door.enter(tenant, { goOn, onLeave: (left) => reply.raw.once('close', left) });
    });
    // Those for one event take batches of CloudEvents too.
    const bodyLimit = Math.max(limits.batchBytesMax, deps.eventBytesMax + BODY_SLACK_BYTES);
    scope.post<TenantParams>('/v1/tenants/:tenant/events', { bodyLimit }, (request, reply) =>
      requests.withTenant(request, reply, (to) => requests.publish(to, request, reply)),
    );
    scope.post<TenantParams>(
      '/v1/tenants/:tenant/events/batch',
      { bodyLimit: limits.batchBytesMax },
      (request, reply) =>
        requests.withTenant(request, reply, (to) => requests.publishBatch(to, request, reply)),
    );
    scope.post('/v1/events', { bodyLimit }, (request, reply) =>
      requests.withEveryTenant(request, reply, (to) => requests.publish(to, request, reply)),
    );
    scope.post('/v1/events/batch', { bodyLimit: limits.batchBytesMax }, (request, reply) =>
      requests.withEveryTenant(request, reply, (to) => requests.publishBatch(to, request, reply)),
    );
    done();
  });
}

/** Here a body is an event, or several. */
function ofEvents(error: unknown): unknown {
  const fault = classifyError(error);
  if (fault.code !== 'POSTHORN_BODY_TOO_LARGE') return error;
  return new PosthornError('POSTHORN_EVENT_TOO_LARGE', { detail: fault.message, cause: error });
}
