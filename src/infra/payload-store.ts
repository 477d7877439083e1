/**
 * Where the `data` of large events is kept, apart from the streams (IN-12). An object is written before the event
 * that names it, and never changed; it expires a little after the event. One that no event names is garbage, and
 * expires too.
 */
export interface PayloadStore {
  /**
   * Resolves once the object is durable.
   * @param key `<owner>/<payload id>` (`wire/payload-link.ts`)
   * @param contentType of what is in it
   * @throws where the store does not take it
   */
  put(key: string, bytes: Uint8Array, contentType: string): Promise<void>;

  /**
   * The object, or undefined where there is none, any more or whole.
   * @throws PayloadDamagedError, and where the store does not answer
   */
  get(key: string): Promise<StoredPayload | undefined>;

  /**
   * Removes all objects of these owners (the first part of their keys).
   * @throws where the store does not answer; asking again is safe
   */
  removeOf(owners: ReadonlySet<string>): Promise<void>;

  /** Bytes of the object; undefined as for `get`. @throws where the store does not answer */
  size(key: string): Promise<number | undefined>;
}

export interface StoredPayload {
  bytes: Buffer;
  contentType: string;
}

/** What is stored under the key is not what was put there. */
export class PayloadDamagedError extends Error {
  constructor(key: string, cause?: unknown) {
    super(`the payload ${key} is damaged`, { cause });
    this.name = 'PayloadDamagedError';
  }
}
