import type { ShardLeasesDeps } from '#infra/nats/leases/shard-leases.ts';
import { within } from '#infra/within.ts';
import type { OrderedQueues } from '../ordered/ordered-queues.ts';
import type { ShardTaps } from './shard-consumers.ts';

/**
 * What a worker does when it takes a shard, gives it up, or finds that it lost it.
 *
 * @param drainMs how long what is in flight may take when a shard is given up
 */
export function shardWork(
  taps: Pick<ShardTaps, 'open' | 'close' | 'drain'>,
  queues: Pick<OrderedQueues, 'open' | 'close' | 'settled'>,
  drainMs: number,
): Pick<ShardLeasesDeps, 'onTaken' | 'onGiveUp' | 'onLost'> {
  return {
    async onTaken(shard) {
      // Without the lease the heads of its queues would be sent beside the new owner.
      if (await taps.open(shard)) queues.open(shard);
    },
    async onGiveUp(shard) {
      queues.close(shard);
      // The next owner must not find at the head of a queue what was sent.
      const settled = within(drainMs, queues.settled(shard));
      await Promise.all([taps.drain(shard), settled]);
    },
    onLost(shard) {
      queues.close(shard);
      taps.close(shard);
    },
  };
}
