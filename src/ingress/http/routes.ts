import type { FastifyInstance } from 'fastify';
import { limits } from '#domain/limits.ts';
import { PosthornError } from '#domain/errors.ts';
import { type Principal, requireBroadcast, requireTenant } from '#domain/authorization.ts';
import type { FindCaller } from '#infra/http/callers/find-caller.ts';
import { classifyError } from '#infra/http/server/classify-error.ts';
import { sendError } from '#infra/http/server/problem.ts';
import { refuseQuery } from '#infra/http/protocol/refuse-query.ts';
import type { Tracing } from '#infra/telemetry/tracing.ts';
import type { TenantConcurrencyLimiter } from '../fairness/tenant-concurrency-limiter.ts';
import {
  BODY_SLACK_BYTES,
  PublishRequests,
  type PublishRequestsDeps,
  type TenantParams,
} from './publish-requests.ts';
import type { RequestRates } from './request-rates.ts';
import { traceRequests } from './trace-requests.ts';

export interface IngressRoutesDeps extends PublishRequestsDeps {
  findCaller: FindCaller;
  /** Limits the concurrent requests of each tenant. */
  limiter: TenantConcurrencyLimiter;
  rates: RequestRates;
  tracing?: Tracing | undefined;
}

/**
 * Registers the producers' routes in their own scope, where bodies stay bytes. The key is
 * checked before the request is read and before the concurrency limiter: unauthenticated requests
 * use neither memory nor a tenant's slots.
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
    // The span begins before the limiter, so it includes the wait there.
    const requests = new PublishRequests(deps, traceRequests(scope, deps.tracing));
    scope.addHook<TenantParams>('onRequest', (request, reply, start) => {
      const { tenant } = request.params;
      const enter = (principal: Principal): void => {
        try {
          if (tenant === undefined) requireBroadcast(principal);
          else requireTenant(principal, tenant, 'publish');
          requests.authenticated(request, principal);
          const known = tenant === undefined ? undefined : deps.tenant(tenant);
          deps.rates.countRequest(request, reply, principal, known);
          refuseQuery(request);
        } catch (error) {
          start(error as Error);
          return;
        }
        if (tenant === undefined) start();
        else {
          deps.limiter.enter(tenant, { start, onLeave: (left) => reply.raw.once('close', left) });
        }
      };
      try {
        const found = deps.findCaller(request.headers.authorization, request.ip);
        if (found instanceof Promise) found.then(enter, start);
        else enter(found);
      } catch (error) {
        start(error as Error);
      }
    });
    // Routes for one event also take batches of CloudEvents.
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

/** The body of these routes is one event or several. */
function ofEvents(error: unknown): unknown {
  const fault = classifyError(error);
  if (fault.code !== 'POSTHORN_BODY_TOO_LARGE') return error;
  return new PosthornError('POSTHORN_EVENT_TOO_LARGE', { detail: fault.message, cause: error });
}
