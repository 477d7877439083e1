/**
 * Finds the oldest event that a stored delivery still needs by reference: a delivery of a large
 * event has only the event's sequence, and its worker reads the event from EV-k.
 *
 * Reads DLV-k once in stream order. That finds every delivery that exists at the end of the read: a
 * delivery is stored in its next state, at a higher sequence, before its last message is removed.
 * So where a message is gone before the read reaches it, the next state is still ahead. Replicas
 * that answer may lag, so only the leader can say that no message is left.
 *
 * Deliveries that are stored later cannot need an older event. They are next states of those found,
 * or they are new. The router creates new ones only above its own floor, which the caller reads
 * first. So a result stays a lower bound, and only a higher one needs another read.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { JetStreamManager, MsgRequest, StoredMsg } from '@nats-io/jetstream';
import { isNoneLeft } from '#infra/nats/api-errors.ts';
import { readBatch } from '#infra/nats/consume/read-batch.ts';
import { decodeDeliveryFrame } from '#wire/frames/delivery-frame.ts';
import { streams } from '#wire/subjects.ts';

const PAGE = { batch: 512, max_bytes: 1024 * 1024 };
const LF = 10;
/** After this time a broker that lost its followers no longer answers as the leader (10 s). */
const CONFIRM_AFTER_MS = 15_000;

/** A delivery by reference. */
interface Reference {
  /** Of the delivery, in DLV-k. */
  seq: number;
  eventSeq: number;
}

export class OwedReferences {
  private readonly jsm: JetStreamManager;
  private readonly confirmAfterMs: number;
  /** The last result, by shard. */
  private readonly floors = new Map<number, number>();
  /** A delivery that needs the oldest event, by shard. */
  private readonly oldest = new Map<number, Reference>();

  /**
   * @param replicas of the streams: a cut-off leader of several may not know the newest deliveries,
   *   so the end of the stream is read again once such a leader has stepped down
   */
  constructor(deps: { jsm: JetStreamManager; replicas: number; confirmAfterMs?: number }) {
    this.jsm = deps.jsm;
    const confirmAfterMs = deps.confirmAfterMs ?? CONFIRM_AFTER_MS;
    this.confirmAfterMs = deps.replicas > 1 ? confirmAfterMs : 0;
  }

  /**
   * Resolves with a sequence of EV-k, at most `ceiling`, below which no delivery needs an event.
   *
   * @param range `first` sequence of EV-k, and the one up to which its events are to be removed:
   *   without a need, or a chance, DLV-k is not read
   * @param ceiling the lowest of the other floors, read before this call
   * @throws if NATS does not answer, AbortError
   */
  async floor(
    shard: number,
    { first, wanted }: { first: number; wanted: number },
    ceiling: number,
    signal: AbortSignal,
  ): Promise<number> {
    const known = this.floors.get(shard) ?? 0;
    if (known >= Math.min(wanted, ceiling)) return Math.min(known, ceiling);
    const oldest = this.oldest.get(shard);
    const blocks = oldest !== undefined && oldest.eventSeq <= first;
    if (blocks && (await this.exists(shard, oldest.seq))) return oldest.eventSeq;
    this.oldest.delete(shard);
    let next = await this.read(shard, 1, signal);
    if (this.confirmAfterMs > 0) {
      await delay(this.confirmAfterMs, undefined, { signal });
      next = await this.read(shard, next, signal);
    }
    const found = this.oldest.get(shard)?.eventSeq ?? Number.POSITIVE_INFINITY;
    const floor = Math.min(found, ceiling);
    this.floors.set(shard, floor);
    return floor;
  }

  /** Forgets a shard: another process may own it by now. */
  forget(shard: number): void {
    this.floors.delete(shard);
    this.oldest.delete(shard);
  }

  private async exists(shard: number, seq: number): Promise<boolean> {
    return (await this.jsm.streams.getMessage(streams.deliveries(shard), { seq })) !== null;
  }

  /** Reads from a sequence to the end. @returns the sequence after the last one that was read */
  private async read(shard: number, from: number, signal: AbortSignal): Promise<number> {
    let seq = from;
    for (;;) {
      signal.throwIfAborted();
      const page = await this.page(streams.deliveries(shard), seq);
      if (page.length === 0) return seq;
      for (const message of page) this.note(shard, message);
      seq = (page.at(-1) as StoredMsg).seq + 1;
    }
  }

  private async page(stream: string, seq: number): Promise<StoredMsg[]> {
    try {
      const page = await readBatch(this.jsm, stream, { seq, ...PAGE });
      if (page.length > 0) return page;
    } catch (error) {
      if (!isNoneLeft(error)) throw error;
    }
    // The type of the client lacks this form of the request (nats-server, ADR-8).
    const query = { seq, next_by_subj: '>' } as MsgRequest;
    const message = await this.jsm.streams.getMessage(stream, query);
    return message === null ? [] : [message];
  }

  private note(shard: number, { seq, data }: StoredMsg): void {
    // A frame without an event ends with its line. Most others are not parsed.
    if (data.at(-1) !== LF) return;
    const eventSeq = eventSeqOf(data);
    const oldest = this.oldest.get(shard)?.eventSeq ?? Number.POSITIVE_INFINITY;
    if (eventSeq !== undefined && eventSeq < oldest) this.oldest.set(shard, { seq, eventSeq });
  }
}

/** Undefined: the worker drops this message too. */
function eventSeqOf(data: Uint8Array): number | undefined {
  try {
    const { head } = decodeDeliveryFrame(data);
    return head.byReference === undefined ? undefined : head.eventSeq;
  } catch {
    return undefined;
  }
}
