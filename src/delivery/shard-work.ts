import type { ShardLeasesDeps } from '#infra/nats/shard-leases.ts';
import type { OrderedQueues } from './ordered/ordered-queues.ts';
import type { ShardTaps } from './shard-taps.ts';

/** What a worker does when it takes a shard, gives it up, or finds that it lost it. */
export function shardWork(
  taps: ShardTaps,
  queues: OrderedQueues,
): Pick<ShardLeasesDeps, 'onTaken' | 'onGiveUp' | 'onLost'> {
  return {
    async onTaken(shard) {
      await taps.open(shard);
      queues.open(shard);
    },
    async onGiveUp(shard) {
      queues.close(shard);
      await taps.drain(shard);
      // The next owner must not find at the head of a queue what was sent.
      await queues.settled(shard);
    },
    onLost(shard) {
      queues.close(shard);
      taps.close(shard);
    },
  };
}
