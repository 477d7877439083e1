import type { IncomingMessage } from 'node:http';
import { PosthornError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';

/**
 * Header fields that identify the caller, the host and the format: of two values the first would
 * silently win.
 */
const SINGLE = new Set(['host', 'authorization', 'content-type']);

/**
 * Refuses a request with an ambiguous head (RFC 9112, section 3.2): HTTP/1.1 without `host`, a
 * repeated single-value field, a target over `limits.requestTargetLengthMax`. Cheap, because it
 * runs for every request.
 *
 * @throws PosthornError POSTHORN_REQUEST_INVALID, POSTHORN_URL_TOO_LONG
 */
export function checkRequestHead(request: IncomingMessage): void {
  const { url = '', headers, rawHeaders } = request;
  if (url.length > limits.requestTargetLengthMax) {
    const detail = `the URL has ${url.length} characters; at most ${limits.requestTargetLengthMax} are allowed`;
    throw new PosthornError('POSTHORN_URL_TOO_LONG', { detail });
  }
  if (headers.host === undefined && request.httpVersion === '1.1') {
    throw new PosthornError('POSTHORN_REQUEST_INVALID', {
      fields: [{ pointer: '#header/host', detail: 'is required' }],
    });
  }
  let seen = '';
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const { length } = rawHeaders[i] as string;
    if (length !== 4 && length !== 12 && length !== 13) continue;
    const name = (rawHeaders[i] as string).toLowerCase();
    if (!SINGLE.has(name)) continue;
    if (seen.includes(name)) {
      throw new PosthornError('POSTHORN_REQUEST_INVALID', {
        fields: [{ pointer: `#header/${name}`, detail: 'must be there once' }],
      });
    }
    seen += `${name} `;
  }
}
