/**
 * Stores the queues of ordered endpoints in JetStream. A queue is the messages of one subject of
 * DLV-k, read one at a time; the bucket ORDERED holds the state of a waiting head.
 *
 * All reads go to the streams' leaders: a lagging replica could return a head that was already
 * removed.
 */
import type { JetStreamManager, StoredMsg } from '@nats-io/jetstream';
import type { KV } from '@nats-io/kv';
import { apiErrorCode, apiErrors, isGone } from '#infra/nats/api-errors.ts';
import { buckets, shardOf, streams, subjects } from '#wire/subjects.ts';
import { type HeadState, decodeHeadState, encodeHeadState } from './head-state.ts';
import { Semaphore } from '#domain/contention/semaphore.ts';

/**
 * After a takeover every queue is read concurrently, and the server drops requests beyond its
 * limit.
 */
const REQUESTS_AT_ONCE = 64;

export interface SavedHead {
  state: HeadState | undefined;
  /** Revision in the bucket; 0 if there is no entry. */
  revision: number;
}

export interface QueueStore {
  /**
   * Returns the first message of the queue with a sequence above `afterSeq`; null if there is none.
   */
  next(tenant: string, endpoint: string, afterSeq: number): Promise<StoredMsg | null>;
  /** Deletes a message; succeeds if it is already gone. */
  remove(tenant: string, seq: number): Promise<void>;
  load(tenant: string, endpoint: string): Promise<SavedHead>;
  /** Returns the new revision. */
  save(tenant: string, endpoint: string, state: HeadState, revision: number): Promise<number>;
  forget(revision: number): Promise<void>;
}

export class NatsQueueStore implements QueueStore {
  private readonly jsm: JetStreamManager;
  private readonly kv: KV;
  private readonly shards: number;
  private readonly requests = new Semaphore(REQUESTS_AT_ONCE);

  constructor(deps: { jsm: JetStreamManager; ordered: KV; shards: number }) {
    this.jsm = deps.jsm;
    this.kv = deps.ordered;
    this.shards = deps.shards;
  }

  next(tenant: string, endpoint: string, afterSeq: number): Promise<StoredMsg | null> {
    const query = { seq: afterSeq + 1, next_by_subj: subjects.ordered(tenant, endpoint) };
    return this.requests.run(() => this.jsm.streams.getMessage(this.streamOf(tenant), query));
  }

  async remove(tenant: string, seq: number): Promise<void> {
    await this.delete(this.streamOf(tenant), seq);
  }

  async load(tenant: string, endpoint: string): Promise<SavedHead> {
    const query = { last_by_subj: `$KV.${buckets.ordered}.${keyOf(tenant, endpoint)}` };
    const entry = await this.requests.run(() => this.jsm.streams.getMessage(BUCKET, query));
    if (entry === null) return { state: undefined, revision: 0 };
    if (entry.data.length === 0) return { state: undefined, revision: entry.seq };
    return { state: decodeHeadState(entry.string()), revision: entry.seq };
  }

  /**
   * Saves only if no other worker wrote in between. A worker that lost the queue may have written
   * the result of its last attempt; the merge never lowers the attempt number.
   */
  async save(
    tenant: string,
    endpoint: string,
    state: HeadState,
    revision: number,
  ): Promise<number> {
    const key = keyOf(tenant, endpoint);
    try {
      if (revision === 0) return await this.kv.create(key, encodeHeadState(state));
      return await this.kv.update(key, encodeHeadState(state), revision);
    } catch (error) {
      if (apiErrorCode(error) !== apiErrors.wrongLastSequence) throw error;
    }
    const other = await this.load(tenant, endpoint);
    const theirs = other.state?.seq === state.seq ? other.state : state;
    const merged = {
      ...state,
      attemptNo: Math.max(state.attemptNo, theirs.attemptNo),
      hop: Math.max(state.hop, theirs.hop),
    };
    if (other.revision === 0) return this.kv.create(key, encodeHeadState(merged));
    return this.kv.update(key, encodeHeadState(merged), other.revision);
  }

  /** Deletes the stored message itself, so that no delete marker remains. */
  async forget(revision: number): Promise<void> {
    await this.delete(BUCKET, revision);
  }

  /** The number of messages in each queue of a shard, by subject. */
  async list(shard: number): Promise<Record<string, number>> {
    const filter = { subjects_filter: subjects.orderedOfAll };
    const { state } = await this.jsm.streams.info(streams.deliveries(shard), filter);
    return state.subjects ?? {};
  }

  private async delete(stream: string, seq: number): Promise<void> {
    try {
      await this.requests.run(() => this.jsm.streams.deleteMessage(stream, seq, false));
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }

  private streamOf(tenant: string): string {
    return streams.deliveries(shardOf(tenant, this.shards));
  }
}

const BUCKET = `KV_${buckets.ordered}`;

function keyOf(tenant: string, endpoint: string): string {
  return `${tenant}.${endpoint}`;
}
