import type { PosthornError } from '#domain/errors.ts';

/** An event that is stored. */
export interface Accepted {
  id: string;
  /** The event had been stored before; this is the first answer again. */
  replayed: boolean;
  /** It is one with an event that came before, whose id this is (IN-7). */
  deduplicated?: true;
}

/** The answer to one event. */
export function acceptedJson({ id, deduplicated }: Accepted): string {
  const mark = deduplicated === true ? ',"deduplicated":true' : '';
  return `{"id":"${id}","status":"accepted"${mark}}`;
}

/** Called once, with one of the two. */
export type AcceptDone = (error: PosthornError | undefined, accepted: Accepted | undefined) => void;
