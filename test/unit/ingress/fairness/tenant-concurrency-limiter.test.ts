import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TenantConcurrencyLimiter } from '#src/ingress/fairness/tenant-concurrency-limiter.ts';

function setUp() {
  let most = 4;
  const limiter = new TenantConcurrencyLimiter({
    limit: { recordArrival: () => undefined, current: () => most },
  });
  const inside: string[] = [];
  const leaves = new Map<string, () => void>();
  return {
    limiter,
    inside,
    enter: (tenant: string, name: string) =>
      limiter.enter(tenant, {
        start: () => void inside.push(name),
        onLeave: (left) => void leaves.set(name, left),
      }),
    leave: (name: string) => leaves.get(name)?.(),
    allow: (count: number) => (most = count),
  };
}

test('a busy process admits requests of a tenant up to the limit, and the others in order', () => {
  const { limiter, inside, enter, leave } = setUp();
  for (const n of [1, 2, 3, 4, 5, 6]) enter('noisy', `n${n}`);
  enter('quiet', 'q1');
  assert.deepEqual(inside, ['n1', 'n2', 'n3', 'n4', 'q1']);
  assert.equal(limiter.waiting, 2);
  leave('n2');
  leave('n1');
  assert.deepEqual(inside.slice(5), ['n5', 'n6']);
  assert.equal(limiter.waiting, 0);
});

test('a request that ends while it waits is not admitted', () => {
  const { inside, enter, leave } = setUp();
  for (const n of [1, 2, 3, 4, 5, 6]) enter('noisy', `n${n}`);
  leave('n5');
  leave('n1');
  assert.deepEqual(inside, ['n1', 'n2', 'n3', 'n4', 'n6']);
});

test('a process admits all waiting requests when it becomes calm', () => {
  const { limiter, inside, enter, leave, allow } = setUp();
  for (let n = 1; n <= 20; n++) enter('noisy', `n${n}`);
  allow(Number.POSITIVE_INFINITY);
  leave('n1');
  assert.equal(inside.length, 20);
  for (let n = 2; n <= 20; n++) leave(`n${n}`);
  enter('noisy', 'later');
  assert.equal(inside.at(-1), 'later');
  assert.equal(limiter.waiting, 0);
});
