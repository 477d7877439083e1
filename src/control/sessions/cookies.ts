import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { PosthornError } from '#domain/errors.ts';

/**
 * The prefix binds the cookie to this host, to https and to every path (RFC 6265bis): no other
 * host can set it.
 */
export const SESSION_COOKIE = '__Host-posthorn_session';

const CSRF_HEADER = 'x-csrf-token';

/** Returns the value of a cookie; undefined if the request does not have it, or has it twice. */
export function readCookie(headers: IncomingHttpHeaders, name: string): string | undefined {
  const pairs = (headers.cookie ?? '').split(';').map((pair) => pair.trim());
  const values = pairs.filter((pair) => pair.startsWith(`${name}=`));
  return values.length === 1 ? values[0]?.slice(name.length + 1) : undefined;
}

/** @param maxAgeSeconds 0: the browser removes the cookie */
export function sessionCookie(value: string, maxAgeSeconds: number): string {
  const age = Math.max(0, Math.floor(maxAgeSeconds));
  return `${SESSION_COOKIE}=${value}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=${age}`;
}

/**
 * The token that a change by cookie must have in a header. Only a page of this origin can read it
 * from an answer; scripts cannot read the cookie that it is derived from.
 */
export function csrfTokenOf(cookie: string): string {
  return createHash('sha256').update(`posthorn-csrf\n${cookie}`).digest('base64url').slice(0, 32);
}

/** @throws PosthornError POSTHORN_CSRF_INVALID */
export function checkCsrf(headers: IncomingHttpHeaders, cookie: string): void {
  const given = headers[CSRF_HEADER];
  const wanted = Buffer.from(csrfTokenOf(cookie));
  const bytes = Buffer.from(typeof given === 'string' ? given : '');
  if (bytes.length === wanted.length && timingSafeEqual(bytes, wanted)) return;
  throw new PosthornError('POSTHORN_CSRF_INVALID', {
    detail: `send the csrf_token of the session in the header ${CSRF_HEADER}`,
  });
}
