import type { FastifyRequest } from 'fastify';
import type { Principal } from '#domain/authorization.ts';
import type { FindCaller, TokenKind } from '#infra/http/callers/find-caller.ts';
import { checkCsrf, readCookie, SESSION_COOKIE } from './cookies.ts';
import { isSecretOf, principalOfSession, type SessionStore } from './session-store.ts';

const BEARER = /^bearer +(\S+) *$/i;
/** Marks a cookie in place of a header `authorization`, which cannot contain it. */
const COOKIE_MARK = '\0';

/** The kinds of secrets of sessions: portal tokens as bearer tokens, and cookies. */
export function sessionTokens(store: SessionStore): TokenKind[] {
  return [
    {
      fits: (text) => isSecretOf('token', tokenOf(text)),
      find: (text) => toPrincipal(store.find('token', tokenOf(text))),
    },
    {
      fits: (text) => text.startsWith(COOKIE_MARK),
      find: (text) => toPrincipal(store.find('cookie', text.slice(COOKIE_MARK.length))),
    },
  ];
}

/** Finds the caller of a request, and checks a change by cookie against forgery. */
export type RequestCaller = (request: FastifyRequest) => Principal | Promise<Principal>;

/**
 * Creates the function that finds the caller by the header `authorization`, or without that header
 * by the cookie of a session.
 */
export function createRequestCaller(findCaller: FindCaller): RequestCaller {
  return ({ headers, ip, method }) => {
    const cookie = cookieOf(headers);
    if (cookie === undefined) return findCaller(headers.authorization, ip);
    // Browsers send a cookie with requests that another page makes.
    if (method !== 'GET' && method !== 'HEAD') checkCsrf(headers, cookie);
    return findCaller(COOKIE_MARK + cookie, ip);
  };
}

/** The cookie that authenticates a request; undefined: it has a header `authorization`, or none. */
export function cookieOf(headers: FastifyRequest['headers']): string | undefined {
  if (headers.authorization !== undefined) return undefined;
  const value = readCookie(headers, SESSION_COOKIE);
  return value !== undefined && isSecretOf('cookie', value) ? value : undefined;
}

function tokenOf(authorization: string): string {
  return BEARER.exec(authorization)?.[1] ?? '';
}

function toPrincipal(found: ReturnType<SessionStore['find']>): Principal | Promise<Principal> {
  return found instanceof Promise ? found.then(principalOfSession) : principalOfSession(found);
}
