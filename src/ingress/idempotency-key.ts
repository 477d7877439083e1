import type { IncomingHttpHeaders } from 'node:http';
import { PosthornError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import type { EventInput } from './event-input.ts';
import { idOfKey } from './idempotency.ts';

const POINTER = '#header/idempotency-key';

/**
 * The request's `Idempotency-Key` (IN-6): a structured string (draft-ietf-httpapi-idempotency-key-header-07), or
 * bare; undefined where there is none.
 *
 * @throws PosthornError POSTHORN_REQUEST_INVALID
 */
export function readIdempotencyKey(headers: IncomingHttpHeaders): string | undefined {
  const header = headers['idempotency-key'];
  if (header === undefined) return undefined;
  const key = String(header).replace(/^"(.*)"$/, '$1');
  if (key !== '' && key.length <= limits.idempotencyKeyLengthMax) return key;
  const detail = `must have 1 to ${limits.idempotencyKeyLengthMax} characters`;
  throw new PosthornError('POSTHORN_REQUEST_INVALID', { fields: [{ pointer: POINTER, detail }] });
}

/**
 * The event under the id that the key stands for, where it has none: an id says more and wins.
 *
 * @param index of an item of a batch: each has an id of its own, so a batch may be sent again whole
 */
export function underIdempotencyKey(
  input: EventInput,
  key: string | undefined,
  index?: number,
): EventInput {
  if (key === undefined || input.id !== undefined) return input;
  // No header holds a line feed, so no other key is the same text.
  return { ...input, id: idOfKey(index === undefined ? key : `${key}\n${index}`) };
}

/** What was wrong with an id that the caller never wrote, told of the key that it did write. */
export function toldOfKey(error: PosthornError): PosthornError {
  if (error.code !== 'POSTHORN_EVENT_ID_REUSED') return error;
  const detail = 'was used for another content; use a new key, or send the same content';
  const fields = [{ pointer: POINTER, detail }];
  return new PosthornError(error.code, { fields, cause: error });
}
