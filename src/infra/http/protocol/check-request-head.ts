import type { IncomingMessage } from 'node:http';
import { PosthornError } from '#domain/errors.ts';
import { duplicateKey, requiredField } from '#domain/field-faults.ts';
import { limits } from '#domain/limits.ts';

/**
 * Header fields that identify the caller, the host, the format and the request: of two values the
 * first would silently win, or both would be joined.
 */
const SINGLE = new Set(['host', 'authorization', 'content-type', 'idempotency-key']);
/** Lower-casing every name of every request would cost more than the check. */
const SINGLE_LENGTHS = new Set([...SINGLE].map((name) => name.length));
/** `uri-host [ ":" port ]` of RFC 9110, section 7.2; it may be empty. */
const HOST = /^(?:\[[\da-f:.]+\]|[\w.~!$&'()*+,;=%-]*)(?::\d*)?$/i;

/**
 * Rejects a request of another version than HTTP/1.x, and one with an ambiguous head (RFC 9112,
 * section 3.2): HTTP/1.1 without `host`, an invalid `host`, a repeated single-value field, a target
 * over `limits.requestTargetLengthMax`.
 * Cheap, because it runs for every request.
 *
 * @throws PosthornError POSTHORN_REQUEST_INVALID, POSTHORN_URL_TOO_LONG,
 *   POSTHORN_HTTP_VERSION_UNSUPPORTED
 */
export function checkRequestHead(request: IncomingMessage): void {
  const { url = '', headers, rawHeaders } = request;
  // The parser takes 0.9 and 2.0 for 1.1.
  if (request.httpVersionMajor !== 1) throw unsupportedVersion(request.httpVersion);
  if (url.length > limits.requestTargetLengthMax) {
    const detail = `the URL has ${url.length} characters; at most ${limits.requestTargetLengthMax} are allowed`;
    throw new PosthornError('POSTHORN_URL_TOO_LONG', { detail });
  }
  if (headers.host === undefined && request.httpVersion === '1.1') {
    throw new PosthornError('POSTHORN_REQUEST_INVALID', {
      fields: [requiredField('#header', 'host')],
    });
  }
  if (headers.host !== undefined && !HOST.test(headers.host)) {
    const detail = 'must be a host name or address, with a port if one is needed';
    throw new PosthornError('POSTHORN_REQUEST_INVALID', {
      fields: [{ pointer: '#header/host', detail }],
    });
  }
  let seen = '';
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const given = rawHeaders[i] as string;
    if (!SINGLE_LENGTHS.has(given.length)) continue;
    const name = given.toLowerCase();
    if (!SINGLE.has(name)) continue;
    if (seen.includes(name)) {
      throw new PosthornError('POSTHORN_REQUEST_INVALID', {
        fields: [duplicateKey('#header', name)],
      });
    }
    seen += `${name} `;
  }
}

/** RFC 9110, section 15.6.6. */
export function unsupportedVersion(version: string): PosthornError {
  const detail = `HTTP/${version} is not supported; use HTTP/1.1`;
  return new PosthornError('POSTHORN_HTTP_VERSION_UNSUPPORTED', { detail });
}
