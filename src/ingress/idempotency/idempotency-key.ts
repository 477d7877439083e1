import { PosthornError } from '#domain/errors.ts';
import { IDEMPOTENCY_KEY_POINTER } from '#infra/http/idempotency-key.ts';
import type { EventInput } from '#wire/published/event-input.ts';
import { idOfBatchKey, idOfKey } from '#wire/published/idempotency-id.ts';

/**
 * Gives an event without an id the id derived from the key; a chosen id takes precedence.
 *
 * @param index of an item of a batch: each has its own id, so a whole batch may be repeated
 */
export function underIdempotencyKey(
  input: EventInput,
  key: string | undefined,
  index?: number,
): EventInput {
  if (key === undefined || input.id !== undefined) return input;
  return { ...input, id: index === undefined ? idOfKey(key) : idOfBatchKey(key, index) };
}

/** Points an error about a derived id at the key that the caller sent. */
export function asKeyFault(error: PosthornError): PosthornError {
  if (error.code !== 'POSTHORN_EVENT_ID_REUSED') return error;
  const detail = 'was used for another content; use a new key, or send the same content';
  const fields = [{ pointer: IDEMPOTENCY_KEY_POINTER, detail }];
  return new PosthornError(error.code, { fields, cause: error });
}
