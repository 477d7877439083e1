/**
 * The queues of endpoints that are polled, in DLV-k (DL-19). A lease is a schedule of the stream
 * that returns the delivery to its queue when the lease ends, so leases survive every process.
 *
 * All reads go to the leader of the stream: a lagging replica could return a delivery that was
 * committed.
 */
import type { JetStreamManager, StoredMsg } from '@nats-io/jetstream';
import { isGone } from '#infra/nats/api-errors.ts';
import { type PollQueueName, shardOf, streams, subjects } from '#wire/subjects.ts';

export class PollStore {
  private readonly jsm: JetStreamManager;
  private readonly shards: number;

  constructor(deps: { jsm: JetStreamManager; shards: number }) {
    this.jsm = deps.jsm;
    this.shards = deps.shards;
  }

  /** The first message of a queue after a sequence; null: none. */
  next(
    tenant: string,
    endpoint: string,
    queue: PollQueueName,
    afterSeq: number,
  ): Promise<StoredMsg | null> {
    const query = { seq: afterSeq + 1, next_by_subj: subjects.pollQueue(tenant, endpoint, queue) };
    return this.jsm.streams.getMessage(this.streamOf(tenant), query);
  }

  /** The lease of a delivery; null: it has none. */
  leased(tenant: string, endpoint: string, delivery: string): Promise<StoredMsg | null> {
    const query = { last_by_subj: subjects.waiting(tenant, endpoint, delivery) };
    return this.jsm.streams.getMessage(this.streamOf(tenant), query);
  }

  /** Deletes a message. False: it was gone. */
  async remove(tenant: string, seq: number): Promise<boolean> {
    try {
      return await this.jsm.streams.deleteMessage(this.streamOf(tenant), seq, false);
    } catch (error) {
      if (isGone(error)) return false;
      throw error;
    }
  }

  /** The subjects of the queues of a shard that hold deliveries. */
  async list(shard: number): Promise<string[]> {
    const filter = { subjects_filter: subjects.pollQueuesOfAll };
    const { state } = await this.jsm.streams.info(streams.deliveries(shard), filter);
    return Object.keys(state.subjects ?? {});
  }

  private streamOf(tenant: string): string {
    return streams.deliveries(shardOf(tenant, this.shards));
  }
}
