/**
 * The door for forwarders that send the events of all customers to one URL (IN-10): `POST
 * /notifications`. A configured pointer finds the customer in the body, whose id is the tenant's.
 * Then the event is read and stored like one that is published to this tenant.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { NotificationSettings } from '#config/sections.ts';
import { type Principal, requireTenant } from '#domain/authorization.ts';
import { jsonRefusal } from '#domain/json/json-refusal.ts';
import { limits } from '#domain/limits.ts';
import type { FindCaller } from '#infra/http/callers/find-caller.ts';
import { refuseQuery } from '#infra/http/protocol/refuse-query.ts';
import { sendError } from '#infra/http/server/problem.ts';
import { scan } from '#wire/published/scan-body.ts';
import type { IngressRoutesDeps } from '../http/routes.ts';
import { BODY_SLACK_BYTES, PublishRequests } from '../http/publish-requests.ts';
import { traceRequests } from '../http/trace-requests.ts';
import { bearerOfBasic } from './basic-credentials.ts';
import { narrowStatuses } from './narrow-statuses.ts';
import { pointerNames, tenantOfBody, wantedAt } from './tenant-of-body.ts';

const NOTHING = Buffer.alloc(0);

/** Registers the route in its own scope, where bodies stay bytes. */
export function registerNotificationsRoute(
  app: FastifyInstance,
  deps: IngressRoutesDeps,
  { tenantPointer, basicAuth }: NotificationSettings,
): void {
  const wanted = wantedAt(pointerNames(tenantPointer));
  const findCaller: FindCaller = (authorization, address) =>
    deps.findCaller(basicAuth ? bearerOfBasic(authorization) : authorization, address);
  void app.register((scope, _options, registered) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, parsed) => {
      parsed(null, body);
    });
    scope.setErrorHandler((error, request, reply) => sendError(deps.log, error, request, reply));
    narrowStatuses(scope, basicAuth ? 'Bearer, Basic realm="posthorn"' : 'Bearer');
    const requests = new PublishRequests(deps, traceRequests(scope, deps.tracing));
    const callers = new WeakMap<FastifyRequest, Principal>();
    scope.addHook('onRequest', async (request, reply) => {
      const caller = await findCaller(request.headers.authorization, request.ip);
      callers.set(request, caller);
      requests.authenticated(request, caller);
      deps.rates.countRequest(request, reply, caller, undefined);
      refuseQuery(request);
    });
    const take = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
      const caller = callers.get(request) as Principal;
      const body = Buffer.isBuffer(request.body) ? request.body : NOTHING;
      const outline = deps.turns.isLarge(body)
        ? await deps.turns.read(caller.keyId, body, wanted).catch((fault: unknown) => {
            throw jsonRefusal(fault, 'POSTHORN_EVENT_INVALID');
          })
        : scan(body, wanted);
      const id = tenantOfBody(body, outline, tenantPointer);
      requireTenant(caller, id, 'publish');
      requests.withTenantId(id, request, reply, (target) => {
        // Its limit alone: that of the key was counted before the body was read.
        if (typeof target !== 'string') {
          deps.rates.countRequest(request, reply, { ...caller, rateLimit: undefined }, target);
        }
        deps.limiter.enter(id, {
          start: () => requests.publishGuarded(target, request, reply),
          onLeave: (left) => reply.raw.once('close', left),
        });
      });
    };
    const bodyLimit = Math.max(limits.batchBytesMax, deps.eventBytesMax + BODY_SLACK_BYTES);
    scope.post('/notifications', { bodyLimit }, (request, reply) => {
      take(request, reply).catch((error: unknown) => requests.refuse(error, request, reply));
    });
    registered();
  });
}
