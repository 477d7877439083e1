import { FairSemaphore } from '#domain/contention/fair-semaphore.ts';
import { limits } from '#domain/limits.ts';
import { type ContentCoding, decodeBody } from './content-coding.ts';

/**
 * Decodes a few bodies at a time, fairly for their owners. A small encoded body may need as much
 * memory as the largest body, and callers may send thousands at the same time.
 */
export class BodyDecoder {
  private readonly slots: FairSemaphore;

  constructor(slots: number = limits.bodiesDecodedAtOnceMax) {
    this.slots = new FairSemaphore(slots);
  }

  /**
   * Decodes a body as soon as the owner has a slot.
   *
   * @param owner tenant, or another key that competes for the slots
   * @throws as `decodeBody`
   */
  async decode(
    owner: string,
    body: Buffer,
    codings: readonly ContentCoding[],
    bytesMax: number,
    tooLarge: () => Error,
  ): Promise<Buffer> {
    await new Promise<void>((resolve) => {
      this.slots.enter(owner, () => {
        resolve();
        return true;
      });
    });
    try {
      return await decodeBody(body, codings, bytesMax, tooLarge);
    } finally {
      this.slots.leave(owner);
    }
  }
}
