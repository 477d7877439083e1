import { PosthornError } from '#domain/errors.ts';
import { IDEMPOTENCY_KEY_POINTER } from '#infra/http/idempotency-key.ts';
import type { EventInput } from '../read/event-input.ts';
import { idOfKey } from './idempotency.ts';

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
  const fields = [{ pointer: IDEMPOTENCY_KEY_POINTER, detail }];
  return new PosthornError(error.code, { fields, cause: error });
}
