import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { placementSteps, preferredOwner } from '#infra/nats/leases/placement.ts';

const workers = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,8}-\d{1,5}$/), {
  minLength: 1,
  maxLength: 8,
});

test('a worker that leaves moves only the shards that it had', () => {
  fc.assert(
    fc.property(workers, fc.nat(7), (all, index) => {
      const gone = all[index % all.length] as string;
      const rest = all.filter((worker) => worker !== gone);
      for (let shard = 0; shard < 64; shard++) {
        const before = preferredOwner(shard, all);
        const after = preferredOwner(shard, rest);
        if (before !== gone) assert.equal(after, before);
        else assert.notEqual(after, gone);
      }
    }),
  );
});

test('every worker computes the same owner in any order of the other workers', () => {
  fc.assert(
    fc.property(workers, fc.nat(63), (all, shard) => {
      assert.equal(preferredOwner(shard, all.toReversed()), preferredOwner(shard, all));
    }),
  );
});

test('64 shards are spread over 4 workers so that none has less than half of its share', () => {
  const all = ['worker-1', 'worker-2', 'worker-3', 'worker-4'];
  const counts = new Map(all.map((worker) => [worker, 0]));
  for (let shard = 0; shard < 64; shard++) {
    const owner = preferredOwner(shard, all) as string;
    counts.set(owner, (counts.get(owner) ?? 0) + 1);
  }
  for (const [worker, count] of counts) assert.ok(count >= 8, `${worker} has ${count} of 64`);
});

test('all workers together own every shard once after two reconciliations', () => {
  fc.assert(
    fc.property(workers, fc.integer({ min: 1, max: 64 }), workers, (all, shards, before) => {
      // Shards belong to earlier workers, some of which are dead.
      const owners = new Map<number, string>();
      for (let shard = 0; shard < shards; shard++) {
        const owner = preferredOwner(shard, before) as string;
        if (all.includes(owner)) owners.set(shard, owner);
      }
      for (let poll = 0; poll < 2; poll++) {
        for (const me of all) {
          const { acquire, release } = placementSteps({ me, workers: all, owners, shards });
          for (const shard of acquire) owners.set(shard, me);
          for (const shard of release) owners.delete(shard);
        }
      }
      for (let shard = 0; shard < shards; shard++) {
        assert.equal(owners.get(shard), preferredOwner(shard, all));
      }
    }),
  );
});
