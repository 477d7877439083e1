/**
 * Puts the `data` of a large event into the store of payloads before the event is published (IN-12). First the
 * object, then the event that names it: a crash between the two leaves an object that nobody names, which expires.
 */
import { createHash } from 'node:crypto';
import { ByteBudget } from '#domain/bounds/byte-budget.ts';
import { PosthornError } from '#domain/errors.ts';
import { newId } from '#domain/ids.ts';
import type { PayloadStore } from '#infra/payload-store.ts';
import {
  type EventHead,
  type PayloadRef,
  dataMediaType,
  encodeEventFrame,
} from '#wire/frames/event-frame.ts';

/** Room for what the platform adds to an event where it goes on: a delivery's line, a dead letter's last attempt. */
const FRAME_SLACK_BYTES = 64 * 1024;

export interface LargePayloadsDeps {
  store: Pick<PayloadStore, 'put'>;
  thresholdBytes: number;
  memoryBytesMax: number;
  /** What NATS takes in one message. */
  messageBytesMax: () => number;
}

export class LargePayloads {
  private readonly deps: LargePayloadsDeps;
  private readonly budget: ByteBudget;

  constructor(deps: LargePayloadsDeps) {
    this.deps = deps;
    this.budget = new ByteBudget(deps.memoryBytesMax);
  }

  /** Whether the data of an event with a frame of so many bytes is kept apart. */
  isLarge(frameBytes: number): boolean {
    const { thresholdBytes, messageBytesMax } = this.deps;
    return frameBytes > Math.min(thresholdBytes, messageBytesMax() - FRAME_SLACK_BYTES);
  }

  /**
   * The event as it is published: as it is, or with its data stored apart.
   *
   * @param owner the first part of the payload's key (`wire/payload-link.ts`)
   * @throws PosthornError POSTHORN_OVERLOADED, POSTHORN_PUBLISH_NOT_ACKED
   */
  async putApart(
    owner: string,
    head: EventHead,
    frame: Buffer,
  ): Promise<{ head: EventHead; frame: Buffer }> {
    if (!this.isLarge(frame.length)) return { head, frame };
    // The line of the head has no line feed in it.
    const data = frame.subarray(frame.indexOf('\n') + 1);
    const apart: EventHead = { ...head, payload: await this.put(owner, head, data) };
    return { head: apart, frame: encodeEventFrame(apart, '') };
  }

  private async put(owner: string, head: EventHead, data: Buffer): Promise<PayloadRef> {
    const release = this.budget.tryTake(owner, data.length);
    if (release === undefined) throw new PosthornError('POSTHORN_OVERLOADED');
    try {
      const ref: PayloadRef = {
        key: `${owner}/${newId('pay', head.acceptedMs)}`,
        size: data.length,
        sha256: createHash('sha256').update(data).digest('hex'),
      };
      await this.deps.store.put(ref.key, data, dataMediaType(head));
      return ref;
    } catch (error) {
      const detail = 'the data of the event was not stored in time; send it again';
      throw new PosthornError('POSTHORN_PUBLISH_NOT_ACKED', { detail, cause: error });
    } finally {
      release();
    }
  }
}
