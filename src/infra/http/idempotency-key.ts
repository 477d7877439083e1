import type { IncomingHttpHeaders } from 'node:http';
import { PosthornError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';

/** The pointer of errors about the key. */
export const IDEMPOTENCY_KEY_POINTER = '#header/idempotency-key';

/**
 * Reads the request's `Idempotency-Key` (IN-6): a structured string
 * (draft-ietf-httpapi-idempotency-key-header-07), or bare; undefined if it is missing.
 *
 * @throws PosthornError POSTHORN_REQUEST_INVALID
 */
export function readIdempotencyKey(headers: IncomingHttpHeaders): string | undefined {
  const header = headers['idempotency-key'];
  if (header === undefined) return undefined;
  const key = String(header).replace(/^"(.*)"$/, '$1');
  if (key !== '' && key.length <= limits.idempotencyKeyLengthMax) return key;
  const detail = `must have 1 to ${limits.idempotencyKeyLengthMax} characters`;
  throw new PosthornError('POSTHORN_REQUEST_INVALID', {
    fields: [{ pointer: IDEMPOTENCY_KEY_POINTER, detail }],
  });
}
