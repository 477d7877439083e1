import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { notFound } from '#domain/field-faults.ts';
import type { FindCaller } from '#infra/http/callers/find-caller.ts';
import { refuseQuery } from '#infra/http/protocol/refuse-query.ts';
import type { SessionDocument } from '#infra/mongo/sessions.ts';
import { newSession, session } from '#wire/api/portal/session.ts';
import { problemAnswers, problems } from '#wire/api/problem.ts';
import { answer } from '#wire/openapi/describe.ts';
import { type Api, principalOf } from '../routes/access.ts';
import { sessionCookie } from './cookies.ts';
import { describeCaller } from './describe-session.ts';
import { cookieOf } from './request-callers.ts';
import { principalOfSession, type SessionStore } from './session-store.ts';

const tags = ['Portal'];
const path = '/v1/session';

/**
 * Route without an API key: the portal token in the body authorizes the request. It has no
 * `Idempotency-Key`, because a second exchange must be refused.
 */
export function registerExchangeRoute(
  app: FastifyInstance,
  store: SessionStore,
  findCaller: FindCaller,
): void {
  app.withTypeProvider<TypeBoxTypeProvider>().post(
    path,
    {
      onRequest: (request, _reply, done) => {
        refuseQuery(request);
        done();
      },
      schema: {
        operationId: 'createSession',
        summary: 'Exchange a portal token for a session',
        description:
          'Needs no key. Sets the cookie of the session, `__Host-`, `HttpOnly` and `SameSite=Strict`. A token is exchanged once: afterwards it is answered with 401. A change by cookie needs the header `x-csrf-token`.',
        tags,
        security: [],
        body: newSession,
        response: {
          201: answer(session, {
            description: 'The session begins.',
            headers: ['set-cookie'],
          }),
          ...problemAnswers,
          ...problems(401, 429),
        },
      },
    },
    async (request, reply) => {
      const { token } = request.body;
      // Counts wrong tokens by address, as it counts wrong keys.
      await findCaller(`Bearer ${token}`, request.ip);
      const { session: found, cookie } = await store.exchange(token);
      reply.header('set-cookie', sessionCookie(cookie, store.secondsLeft(found)));
      reply.code(201);
      return describeCaller(principalOfSession(found), found, cookie);
    },
  );
}

/** Routes for the caller's own session. */
export function registerSessionRoutes(api: Api, store: SessionStore): void {
  api.get(
    path,
    {
      config: { access: 'any-key', visibility: 'none' },
      schema: {
        operationId: 'getSession',
        summary: 'Read the caller and its permissions',
        description: 'Of any key, token or cookie.',
        tags,
        response: { 200: session, ...problemAnswers },
      },
    },
    async (request) => {
      const principal = principalOf(request);
      const found = await sessionOf(store, principal.keyId);
      return describeCaller(principal, found, cookieOf(request.headers));
    },
  );
  api.delete(
    path,
    {
      config: { access: 'any-key', visibility: 'none' },
      schema: {
        operationId: 'deleteSession',
        summary: 'Sign out',
        description:
          'Revokes the session of the caller and removes its cookie. A caller with an API key has no session: the answer is 404.',
        tags,
        response: {
          204: answer(Type.Null(), {
            description: 'The session has ended.',
            headers: ['set-cookie'],
          }),
          ...problemAnswers,
          ...problems(404),
        },
      },
      // Before conditions are compared: they are ignored if there is no session.
      preValidation: (request, _reply, done) => {
        const { keyId } = principalOf(request);
        done(keyId.startsWith('ses_') ? undefined : notFound('session', keyId));
      },
    },
    async (request, reply) => {
      const { keyId } = principalOf(request);
      const found = await sessionOf(store, keyId);
      if (found !== undefined) await store.revoke(found);
      reply.header('set-cookie', sessionCookie('', 0));
      return reply.code(204).send(null);
    },
  );
}

async function sessionOf(store: SessionStore, id: string): Promise<SessionDocument | undefined> {
  return id.startsWith('ses_') ? store.get(id) : undefined;
}
