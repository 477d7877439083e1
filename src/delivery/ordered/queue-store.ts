/**
 * The queues of ordered endpoints as JetStream has them: each the messages of one subject of DLV-k, read one at a
 * time, and beside it the state of a head that waits, in the bucket ORDERED.
 *
 * Only the leaders of the streams are asked: a replica that is behind would give a head again that is gone.
 */
import type { JetStreamManager, StoredMsg } from '@nats-io/jetstream';
import type { KV } from '@nats-io/kv';
import { apiErrorCode, apiErrors, isGone } from '#infra/nats/api-errors.ts';
import { buckets, shardOf, streams, subjects } from '#wire/subjects.ts';
import type { HeadState } from './head-state.ts';
import { Slots } from './slots.ts';

/** After a takeover every queue is read at once; the server drops requests that pile up. */
const REQUESTS_AT_ONCE = 64;

export interface SavedHead {
  state: HeadState | undefined;
  /** Of the bucket; 0: there is none. */
  revision: number;
}

export interface QueueStore {
  /** The first message of the queue with a sequence above `afterSeq`; null: there is none. */
  next(tenant: string, endpoint: string, afterSeq: number): Promise<StoredMsg | null>;
  /** Deletes a message; done also where it is gone. */
  remove(tenant: string, seq: number): Promise<void>;
  load(tenant: string, endpoint: string): Promise<SavedHead>;
  /** Gives the new revision. */
  save(tenant: string, endpoint: string, state: HeadState, revision: number): Promise<number>;
  forget(revision: number): Promise<void>;
}

export class NatsQueueStore implements QueueStore {
  private readonly jsm: JetStreamManager;
  private readonly kv: KV;
  private readonly shards: number;
  private readonly slots = new Slots(REQUESTS_AT_ONCE);

  constructor(deps: { jsm: JetStreamManager; ordered: KV; shards: number }) {
    this.jsm = deps.jsm;
    this.kv = deps.ordered;
    this.shards = deps.shards;
  }

  next(tenant: string, endpoint: string, afterSeq: number): Promise<StoredMsg | null> {
    const query = { seq: afterSeq + 1, next_by_subj: subjects.ordered(tenant, endpoint) };
    return this.slots.run(() => this.jsm.streams.getMessage(this.streamOf(tenant), query));
  }

  async remove(tenant: string, seq: number): Promise<void> {
    await this.delete(this.streamOf(tenant), seq);
  }

  async load(tenant: string, endpoint: string): Promise<SavedHead> {
    const query = { last_by_subj: `$KV.${buckets.ordered}.${keyOf(tenant, endpoint)}` };
    const entry = await this.slots.run(() => this.jsm.streams.getMessage(BUCKET, query));
    if (entry === null) return { state: undefined, revision: 0 };
    if (entry.data.length === 0) return { state: undefined, revision: entry.seq };
    return { state: entry.json<HeadState>(), revision: entry.seq };
  }

  /**
   * On the condition that nobody wrote since: a worker that lost the queue may have written the end of an attempt,
   * and attempts are not counted backwards.
   */
  async save(
    tenant: string,
    endpoint: string,
    state: HeadState,
    revision: number,
  ): Promise<number> {
    const key = keyOf(tenant, endpoint);
    try {
      if (revision === 0) return await this.kv.create(key, JSON.stringify(state));
      return await this.kv.update(key, JSON.stringify(state), revision);
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
    if (other.revision === 0) return this.kv.create(key, JSON.stringify(merged));
    return this.kv.update(key, JSON.stringify(merged), other.revision);
  }

  /** The message itself, so that no marker of a deletion stays. */
  async forget(revision: number): Promise<void> {
    await this.delete(BUCKET, revision);
  }

  /** How many messages wait in each queue of a shard, by subject. */
  async list(shard: number): Promise<Record<string, number>> {
    const filter = { subjects_filter: subjects.orderedOfAll };
    const { state } = await this.jsm.streams.info(streams.deliveries(shard), filter);
    return state.subjects ?? {};
  }

  private async delete(stream: string, seq: number): Promise<void> {
    try {
      await this.slots.run(() => this.jsm.streams.deleteMessage(stream, seq, false));
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
