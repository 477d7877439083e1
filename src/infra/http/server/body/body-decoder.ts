import { limits } from '#domain/limits.ts';
import { FairSlots } from '../../dial/fair-semaphore.ts';
import { type ContentCoding, decodeBody } from './content-coding.ts';

/**
 * Decodes a few bodies at a time, fairly over their owners: a small encoded body may hold as many
 * bytes as the largest body while it is decoded, and callers may send thousands at once.
 */
export class BodyDecoder {
  private readonly slots: FairSlots;

  constructor(slots: number = limits.bodiesDecodedAtOnceMax) {
    this.slots = new FairSlots(slots);
  }

  /**
   * Decodes a body as soon as the owner has a slot.
   *
   * @param owner tenant, or what else competes for the slots
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
