/**
 * Stores the `data` of large events, outside the streams (IN-12). An object is written before the
 * event that names it, and never changed; it expires a little after the event. An object without an
 * event is garbage, and expires too.
 */
export interface PayloadStore {
  /**
   * Resolves once the object is durable.
   * @param key `<owner>/<payload id>` (`wire/payload-link.ts`)
   * @param contentType media type of the object
   * @throws if the store does not accept it
   */
  put(key: string, bytes: Uint8Array, contentType: string): Promise<void>;

  /**
   * Reads an object; undefined if it is missing, expired or incomplete.
   * @throws PayloadDamagedError, and if the store does not answer
   */
  get(key: string): Promise<StoredPayload | undefined>;

  /**
   * Removes all objects of these owners (the first part of their keys).
   * @throws if the store does not answer; a retry is safe
   */
  removeOf(owners: ReadonlySet<string>): Promise<void>;

  /** Bytes of the object; undefined as for `get`. @throws if the store does not answer */
  size(key: string): Promise<number | undefined>;
}

export interface StoredPayload {
  bytes: Buffer;
  contentType: string;
}

/** The stored object differs from the object that was put. */
export class PayloadDamagedError extends Error {
  constructor(key: string, cause?: unknown) {
    super(`the payload ${key} is damaged`, { cause });
    this.name = 'PayloadDamagedError';
  }
}
