import { createHash } from 'node:crypto';

/** The id of the event that a request with this `Idempotency-Key` publishes. */
export function idOfKey(key: string): string {
  return `idk_${createHash('sha256').update(key).digest('base64url')}`;
}

/** The id of an event of a batch. @param index of the event */
export function idOfBatchKey(key: string, index: number): string {
  // A header has no line feed, so no other key produces the same text.
  return idOfKey(`${key}\n${index}`);
}
