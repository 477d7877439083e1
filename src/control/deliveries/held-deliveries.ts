/**
 * Cancels a single held delivery (DL-18). It searches the held messages of the endpoint, from the
 * time at which the event was accepted.
 * First it publishes the replacement for the worker to record, under the message id that the
 * release would use: of a concurrent release and cancellation, the server keeps the first. Then it
 * deletes the held message. A crash between the two steps leaves the message to be released, so a
 * cancellation counts only once it is answered.
 */
import type { DirectBatchOptions, JetStreamManager, StoredMsg } from '@nats-io/jetstream';
import { PosthornError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import type { Publisher } from '#infra/nats/publish/publisher.ts';
import { readBatch } from '#infra/nats/consume/read-batch.ts';
import {
  type DeliveryHead,
  decodeDeliveryFrame,
  deliveryMessageId,
  encodeDeliveryFrame,
} from '#wire/frames/delivery-frame.ts';
import { shardOf, streams, subjects } from '#wire/subjects.ts';

const STORE_TIMEOUT_MS = 5000;
const READ_AT_ONCE = 500;
/** Maximum difference between the clocks of processes and brokers. */
const CLOCKS_APART_MS = 60_000;

export interface HeldDeliveriesDeps {
  shards: number;
  jsm: () => Promise<JetStreamManager>;
  publisher: Pick<Publisher, 'publishAsync'>;
}

export interface HeldDelivery {
  id: string;
  endpoint_id: string;
  /** RFC 3339 */
  accepted_at: string;
}

export class HeldDeliveries {
  private readonly deps: HeldDeliveriesDeps;

  constructor(deps: HeldDeliveriesDeps) {
    this.deps = deps;
  }

  /**
   * @throws PosthornError POSTHORN_DELIVERY_NOT_WAITING if it is being released or not found,
   * POSTHORN_NATS_UNAVAILABLE
   */
  async cancel(lifeId: string, delivery: HeldDelivery): Promise<void> {
    const stream = streams.deliveries(shardOf(lifeId, this.deps.shards));
    try {
      const jsm = await this.deps.jsm();
      const held = await find(jsm, stream, lifeId, delivery);
      const wasFirst = await this.publishNext(lifeId, held, { cancelled: true });
      await jsm.streams.deleteMessage(stream, held.seq, false);
      if (!wasFirst) throw notWaiting('it is being released or cancelled');
    } catch (error) {
      if (error instanceof PosthornError) throw error;
      throw new PosthornError('POSTHORN_NATS_UNAVAILABLE', { cause: error });
    }
  }

  /**
   * Releases a held delivery although its endpoint is not active: this delivery alone is sent, also
   * by its retries. A crash between the two steps leaves the held message; the server drops the
   * release that follows it within 2 minutes.
   *
   * @throws PosthornError POSTHORN_DELIVERY_NOT_WAITING, POSTHORN_NATS_UNAVAILABLE
   */
  async release(lifeId: string, delivery: HeldDelivery): Promise<void> {
    const stream = streams.deliveries(shardOf(lifeId, this.deps.shards));
    try {
      const jsm = await this.deps.jsm();
      const held = await find(jsm, stream, lifeId, delivery);
      await this.publishNext(lifeId, held, { released: true });
      await jsm.streams.deleteMessage(stream, held.seq, false);
    } catch (error) {
      if (error instanceof PosthornError) throw error;
      throw new PosthornError('POSTHORN_NATS_UNAVAILABLE', { cause: error });
    }
  }

  /** Returns false if its release, or another cancellation, came first. */
  private async publishNext(
    lifeId: string,
    held: StoredMsg,
    change: Pick<DeliveryHead, 'cancelled' | 'released'>,
  ): Promise<boolean> {
    const { head, eventBytes } = decodeDeliveryFrame(held.data);
    const next = { ...head, hop: head.hop + 1, ...change };
    const ack = await this.deps.publisher.publishAsync({
      subject: subjects.delivery(lifeId, head.endpoint, 'r'),
      payload: encodeDeliveryFrame(next, eventBytes),
      messageId: deliveryMessageId(next.id, next.hop),
      timeoutMs: STORE_TIMEOUT_MS,
    });
    return !ack.duplicate;
  }
}

async function find(
  jsm: JetStreamManager,
  stream: string,
  lifeId: string,
  delivery: HeldDelivery,
): Promise<StoredMsg> {
  const { id, endpoint_id: endpoint, accepted_at: acceptedAt } = delivery;
  const options = { next_by_subj: subjects.held(lifeId, endpoint), batch: READ_AT_ONCE };
  const since = new Date(Date.parse(acceptedAt) - CLOCKS_APART_MS);
  let from: { start_time: Date } | { seq: number } = { start_time: since };
  for (let read = 0; read < limits.heldSearchedMax; read += READ_AT_ONCE) {
    const page = await readPage(jsm, stream, { ...from, ...options });
    const found = page.find(({ data }) => decodeDeliveryFrame(data).head.id === id);
    if (found !== undefined) return found;
    if (page.length < READ_AT_ONCE) throw notWaiting('it is being released');
    from = { seq: (page.at(-1)?.seq ?? 0) + 1 };
  }
  throw notWaiting(`it is not among the first ${limits.heldSearchedMax} held after its event`);
}

async function readPage(
  jsm: JetStreamManager,
  stream: string,
  options: DirectBatchOptions,
): Promise<StoredMsg[]> {
  try {
    return await readBatch(jsm, stream, options);
  } catch (error) {
    // The server reports an empty result as an error.
    if ((error as { code?: unknown }).code !== NOT_FOUND) throw error;
    return [];
  }
}

const NOT_FOUND = 404;

function notWaiting(detail: string): PosthornError {
  return new PosthornError('POSTHORN_DELIVERY_NOT_WAITING', { detail });
}
