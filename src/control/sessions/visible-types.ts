import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Principal } from '#domain/authorization.ts';
import { PosthornError } from '#domain/errors.ts';
import { coversSelector, isVisibleType, type VisibleTypes } from '#domain/event/visible-types.ts';
import { notFound } from '#domain/field-faults.ts';
import { eventKey, type History } from '#infra/mongo/documents.ts';
import type { CurrentLives } from '../lives/current-lives.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * Whether callers that see some event types only may use the route.
     *
     * `applied`: its handler
     * leaves out hidden types. `none`: the answer has no event, delivery or type. `subscribes`: the
     * body may subscribe to visible types only.
     *
     * Absent: a route with a path parameter for an event, a delivery or a dead letter is checked by
     * that. Any other route is refused.
     */
    visibility?: 'applied' | 'none' | 'subscribes';
  }
}

type ReadHistory = Pick<History, 'events' | 'deliveries' | 'deadLetters'>;
type TypeOf = (history: ReadHistory, lifeId: string, id: string) => Promise<string | undefined>;

/** Resources that path parameters name, and how their event types are found. */
const resources: Readonly<Record<string, { what: string; typeOf: TypeOf }>> = {
  event: {
    what: 'event',
    typeOf: async ({ events }, lifeId, id) =>
      (await events.findOne({ _id: eventKey(lifeId, id) }, { projection: { type: 1 } }))?.type,
  },
  delivery: {
    what: 'delivery',
    typeOf: async ({ deliveries }, tenant, _id) =>
      (await deliveries.findOne({ _id, tenant }, { projection: { type: 1 } }))?.type,
  },
  dead_letter: {
    what: 'dead letter',
    typeOf: async ({ deadLetters }, tenant, _id) =>
      (await deadLetters.findOne({ _id, tenant }, { projection: { type: 1 } }))?.type,
  },
};

/**
 * Holds callers that see some event types only to these, on every route of this scope: a new route
 * is refused to them until it says how it leaves out the rest.
 */
export function limitVisibleTypes(
  scope: FastifyInstance,
  history: ReadHistory,
  lives: Pick<CurrentLives, 'of'>,
): void {
  scope.addHook('onRequest', (request, _reply, done) => {
    const isLimited = visibleTypesOf(request) !== undefined;
    const { visibility } = request.routeOptions.config;
    const isKnown = visibility !== undefined || namedResources(request).length > 0;
    done(
      isLimited && !isKnown ? hidden('this route shows event types that are hidden') : undefined,
    );
  });
  scope.addHook('preHandler', async (request) => {
    const visible = visibleTypesOf(request);
    if (visible === undefined) return;
    checkSelectors(request, visible);
    const { tenant = '' } = request.params as { tenant?: string };
    for (const [name, id] of namedResources(request)) {
      const { what, typeOf } = resources[name] as (typeof resources)[string];
      const type = await typeOf(history, await lives.of(tenant), id);
      // As if it did not exist: whether it does is hidden too.
      if (type === undefined || !isVisibleType(visible, type)) throw notFound(what, id);
    }
  });
}

/** The event types that the caller of a request sees; undefined: all. */
export function visibleTypesOf(request: FastifyRequest): VisibleTypes {
  return request.getDecorator<Principal | null>('principal')?.eventTypes;
}

function namedResources({ params }: FastifyRequest): [name: string, id: string][] {
  return Object.entries(params as Record<string, string>).filter(([name]) =>
    Object.hasOwn(resources, name),
  );
}

/** A subscription to hidden types would send what the caller must not see to its own endpoint. */
function checkSelectors(
  { body, method, routeOptions }: FastifyRequest,
  visible: VisibleTypes,
): void {
  const given = (body ?? {}) as { event_types?: unknown; event_type?: unknown };
  const isNew = routeOptions.config.visibility === 'subscribes' && method !== 'PATCH';
  const selectors = given.event_types ?? (isNew ? ['*'] : []);
  const all = [selectors, given.event_type ?? []].flat().map(String);
  const refused = all.find((selector) => !coversSelector(visible, selector));
  if (refused !== undefined) throw hidden(`the event type ${refused} is hidden from the caller`);
}

function hidden(detail: string): PosthornError {
  return new PosthornError('POSTHORN_KEY_SCOPE', { detail });
}
