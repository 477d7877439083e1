/**
 * Stores the `data` of a large event in the payload store before the event is published (IN-12).
 * The object comes first, then the event that references it: a crash between the two leaves an
 * unreferenced object, which expires.
 */
import { createHash } from 'node:crypto';
import { ByteBudget } from '#domain/bounds/byte-budget.ts';
import { PosthornError } from '#domain/errors.ts';
import { newId } from '#domain/ids.ts';
import { isStorageFull } from '#infra/nats/api-errors.ts';
import type { PayloadStore } from '#infra/payload-store.ts';
import {
  type EventHead,
  type PayloadRef,
  dataMediaType,
  encodeEventFrame,
} from '#wire/frames/event-frame.ts';
import { storageFull } from '../storage/storage-gate.ts';

/** Room for later additions: the head of a delivery, the last attempt of a dead letter. */
const FRAME_SLACK_BYTES = 64 * 1024;

export interface LargePayloadsDeps {
  store: Pick<PayloadStore, 'put'>;
  thresholdBytes: number;
  memoryBytesMax: number;
  /** The broker's maximum payload. */
  messageBytesMax: () => number;
}

export class LargePayloads {
  private readonly deps: LargePayloadsDeps;
  private readonly budget: ByteBudget;

  constructor(deps: LargePayloadsDeps) {
    this.deps = deps;
    this.budget = new ByteBudget(deps.memoryBytesMax);
  }

  /** Whether the data of an event with a frame of this size is offloaded. */
  isLarge(frameBytes: number): boolean {
    const { thresholdBytes, messageBytesMax } = this.deps;
    return frameBytes > Math.min(thresholdBytes, messageBytesMax() - FRAME_SLACK_BYTES);
  }

  /**
   * Returns the event to publish: unchanged, or with its data stored separately.
   *
   * @param owner the first part of the payload's key (`wire/webhook/payload-link.ts`)
   * @throws PosthornError POSTHORN_OVERLOADED, POSTHORN_PUBLISH_NOT_ACKED, POSTHORN_STORAGE_FULL
   */
  async offload(
    owner: string,
    head: EventHead,
    frame: Buffer,
  ): Promise<{ head: EventHead; frame: Buffer }> {
    if (!this.isLarge(frame.length)) return { head, frame };
    // The head is one line.
    const data = frame.subarray(frame.indexOf('\n') + 1);
    const offloaded: EventHead = { ...head, payload: await this.put(owner, head, data) };
    return { head: offloaded, frame: encodeEventFrame(offloaded, '') };
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
      if (isStorageFull(error)) throw storageFull(error);
      const detail = 'the data of the event was not stored in time; send it again';
      throw new PosthornError('POSTHORN_PUBLISH_NOT_ACKED', { detail, cause: error });
    } finally {
      release();
    }
  }
}
