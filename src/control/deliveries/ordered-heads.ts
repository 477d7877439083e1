import { NoRespondersError, type NatsConnection, RequestError } from '@nats-io/nats-core';
import {
  type OrderedAction,
  type OrderedActionResult,
  encodeOrderedAction,
} from '#wire/ordered-action.ts';
import { shardOf, subjects } from '#wire/subjects.ts';

const TIMEOUT_MS = 5000;

/** Asks workers to act on the head of an ordered endpoint's queue (DL-16). */
export class OrderedHeads {
  private readonly nc: NatsConnection;
  private readonly shards: number;

  constructor(deps: { nc: NatsConnection; shards: number }) {
    this.nc = deps.nc;
    this.shards = deps.shards;
  }

  /**
   * `no_owner`: no worker owns the shard at this moment.
   * @throws Error if the worker does not answer in time
   */
  async act(action: OrderedAction): Promise<OrderedActionResult | 'no_owner'> {
    const subject = subjects.orderedActions(shardOf(action.tenant, this.shards));
    try {
      const answer = await this.nc.request(subject, encodeOrderedAction(action), {
        timeout: TIMEOUT_MS,
      });
      return answer.string() as OrderedActionResult;
    } catch (error) {
      if (error instanceof NoRespondersError) return 'no_owner';
      if (error instanceof RequestError && error.isNoResponders()) return 'no_owner';
      throw error;
    }
  }
}
