import type { PosthornError } from '#domain/errors.ts';

/** A stored event. */
export interface Accepted {
  id: string;
  /** The event was stored before; this repeats the first answer. */
  replayed: boolean;
  /** An equal event came before; this is its id (IN-7). */
  deduplicated?: true;
}

/** The answer to one event. */
export function acceptedJson({ id, deduplicated }: Accepted): string {
  const mark = deduplicated === true ? ',"deduplicated":true' : '';
  return `{"id":"${id}","status":"accepted"${mark}}`;
}

/** Called once, with an error or a result. */
export type AcceptDone = (error: PosthornError | undefined, accepted: Accepted | undefined) => void;

/** The request that an event came with. */
export interface Sender {
  traceparent?: string | undefined;
  /** Id of its API key, if that is bound to no tenant and known. */
  producerKey?: string | undefined;
}
