import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyRequest,
  FastifySchema,
  RawServerDefault,
} from 'fastify';
import { PosthornError } from '#domain/errors.ts';
import { unknownField } from '#domain/field-faults.ts';
import { essenceOf } from '#domain/event/media-type.ts';
import { lifeIdOf } from '#domain/tenant.ts';
import { type Access, authorize, type Principal, requirementOf } from '#domain/authorization.ts';
import { takesNoBody } from '#infra/http/server/body/takes-no-body.ts';
import { refuseQuery } from '#infra/http/protocol/refuse-query.ts';
import { checkSelected } from '#wire/revision.ts';
import type { RequestCaller } from '../sessions/request-callers.ts';
import type { CurrentLives } from '../lives/current-lives.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: Access;
  }
}

/** A Fastify instance for routes of the control API: schemas give their handlers' types. */
export type Api = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

/**
 * Look-ups of resources without an ETag, by the name of their path parameter.
 * @throws PosthornError POSTHORN_RESOURCE_UNKNOWN
 */
export type UnversionedResources = Readonly<
  Record<string, (id: string, lifeId: string) => Promise<unknown>>
>;

/**
 * Requires access to every route that is registered in this scope afterwards: the API key is
 * checked before anything else of the request is read. Registering a route without a required
 * access fails at start.
 * A key that is bound to a tenant is checked again when the body has been read. The sender may
 * delay the body, and by then the tenant may have been deleted and created again.
 */
export function requireAccess(
  scope: FastifyInstance,
  findCaller: RequestCaller,
  lives: Pick<CurrentLives, 'find' | 'of'>,
  unversioned: UnversionedResources,
): Api {
  scope.decorateRequest('principal', null);
  scope.addHook('onRoute', ({ url, method, config, schema }) => {
    if (config?.access === undefined) throw new Error(`the route ${url} lacks "access"`);
    if (isRead(String(method)) || isVersioned(schema)) return;
    for (const [, name = ''] of url.matchAll(/:(\w+)/g)) {
      if (name === 'tenant' || unversioned[name] !== undefined) continue;
      throw new Error(`the route ${url} lacks "if-match", or a look-up of ${name}`);
    }
  });
  scope.addHook('onRequest', (request, _reply, done) => {
    const enter = (principal: Principal): void => {
      request.setDecorator('principal', principal);
      const { schema } = request.routeOptions;
      if (schema?.querystring === undefined) refuseQuery(request);
      if (takesNoBody(schema?.body)) dropUnusedType(request);
    };
    try {
      const found = findAuthorized(findCaller, request);
      if (found instanceof Promise) {
        const pass = (): void => done();
        found.then(enter).then(pass, done);
        return;
      }
      enter(found);
      done();
    } catch (error) {
      done(error as Error);
    }
  });
  scope.addHook('preValidation', (request, _reply, done) => {
    const hasSchema = request.routeOptions.schema?.body !== undefined;
    done(hasSchema ? undefined : fieldsFault(request.body));
  });
  scope.addHook('preHandler', async (request) => {
    await checkUnversioned(request, lives, unversioned);
    const { tenant, life } = principalOf(request);
    if (tenant === undefined) return;
    const current = await lives.find(tenant);
    if (current !== undefined && current !== lifeIdOf({ id: tenant, life })) {
      throw new PosthornError('POSTHORN_KEY_INVALID');
    }
  });
  return scope.withTypeProvider<TypeBoxTypeProvider>();
}

/**
 * Finds the caller of a request, which has the access that the route requires. It may be called
 * again during a long answer.
 *
 * @throws PosthornError POSTHORN_KEY_MISSING, POSTHORN_KEY_INVALID, POSTHORN_KEY_SCOPE
 */
export function findAuthorized(
  findCaller: RequestCaller,
  request: FastifyRequest,
): Principal | Promise<Principal> {
  const check = (principal: Principal): Principal => {
    const { access = 'platform' } = request.routeOptions.config;
    const requirement = requirementOf(access, isRead(request.method));
    authorize(principal, requirement, (request.params as { tenant?: string }).tenant);
    return principal;
  };
  const found = findCaller(request);
  return found instanceof Promise ? found.then(check) : check(found);
}

/**
 * Many clients send a content type with every request. An empty body has no type, so the header is
 * ignored there. Another type than JSON is refused at the first byte of the body.
 */
function dropUnusedType({ headers }: FastifyRequest): void {
  if (essenceOf(headers['content-type'] ?? '') !== 'application/json') {
    delete headers['content-type'];
  }
}

/** A route without a body in its schema has no fields: each given one would be ignored. */
function fieldsFault(body: unknown): PosthornError | undefined {
  if (body === undefined || body === null) return undefined;
  const isObject = typeof body === 'object' && !Array.isArray(body);
  const fields = isObject
    ? Object.keys(body).map((name) => unknownField('', name))
    : [{ pointer: '', detail: 'must be empty' }];
  return fields.length === 0
    ? undefined
    : new PosthornError('POSTHORN_REQUEST_INVALID', { fields });
}

/**
 * Checks the preconditions of a change of a resource without an ETag: the handlers of other changes
 * compare them with the revision. A condition that names an ETag fails, because the caller relies
 * on a comparison that is not possible. If a resource is missing the answer is 404 (RFC 9110,
 * section 13.2.1).
 */
async function checkUnversioned(
  { method, headers, params, routeOptions }: FastifyRequest,
  lives: Pick<CurrentLives, 'of'>,
  unversioned: UnversionedResources,
): Promise<void> {
  if (headers['if-match'] === undefined && headers['if-none-match'] === undefined) return;
  if (isRead(method) || isVersioned(routeOptions.schema)) return;
  const { tenant, ...ids } = params as Record<string, string>;
  const lifeId = tenant === undefined ? '' : await lives.of(tenant);
  for (const [name, id] of Object.entries(ids)) await unversioned[name]?.(id, lifeId);
  checkSelected(headers, { exists: true });
}

function isRead(method: string): boolean {
  return method === 'GET' || method === 'HEAD';
}

function isVersioned(schema: FastifySchema | undefined): boolean {
  const headers = schema?.headers as { properties?: object } | undefined;
  return Object.hasOwn(headers?.properties ?? {}, 'if-match');
}

/** Returns the caller of a request to a route with required access. */
export function principalOf(request: FastifyRequest): Principal {
  return request.getDecorator<Principal>('principal');
}
