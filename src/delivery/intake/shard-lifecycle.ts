import type { ShardWork } from '#infra/nats/leases/shard-leases.ts';
import { withTimeout } from '#infra/with-timeout.ts';
import type { OrderedQueues } from '../ordered/ordered-queues.ts';
import type { PollQueues } from '../poll/poll-queues.ts';
import type { ShardConsumers } from './shard-consumers.ts';

/**
 * Returns the callbacks that start, drain and stop a worker's share of a shard when its lease is
 * acquired, released or lost.
 *
 * @param drainMs how long in-flight deliveries may take when a shard is released
 */
export function shardLifecycle(
  consumers: Pick<ShardConsumers, 'open' | 'close' | 'drain'>,
  [queues, polls]: [
    Pick<OrderedQueues, 'open' | 'close' | 'settled'>,
    Pick<PollQueues, 'open' | 'close'>,
  ],
  drainMs: number,
): ShardWork {
  return {
    async onAcquired(shard) {
      // Without the lease, the new owner would send the heads of the shard's queues too.
      if (!(await consumers.open(shard))) return;
      queues.open(shard);
      polls.open(shard);
    },
    async onRelease(shard) {
      queues.close(shard);
      polls.close(shard);
      // A delivered head must leave its queue before the next owner reads it.
      const settled = withTimeout(drainMs, queues.settled(shard));
      await Promise.all([consumers.drain(shard), settled]);
    },
    onExpired(shard) {
      queues.close(shard);
      polls.close(shard);
      consumers.close(shard);
    },
  };
}
