import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CoalescingSync } from '#src/control/config-sync/coalescing-sync.ts';

const LARGE = 1024 * 1024;

/** A sync of values of `bytes`, which the test ends. */
function setUp(bytes: number) {
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  let nowMs = 0;
  const sync = (key: string): Promise<number> => {
    begun.push(key);
    return new Promise((resolve) => ends.push(() => resolve(bytes)));
  };
  const paced = new CoalescingSync({ sync, now: () => nowMs });
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 10; i++) await Promise.resolve();
  };
  return {
    paced,
    begun,
    settle,
    end: async (tookMs: number): Promise<void> => {
      nowMs += tookMs;
      ends.shift()?.();
      await settle();
    },
    pass: (ms: number) => (nowMs += ms),
  };
}

test('a key runs once at a time, and requests during a run share one more run', async () => {
  const { paced, begun, settle, end } = setUp(10);
  const first = paced.run('a').done;
  await settle();
  const second = paced.run('a').done;
  assert.equal(paced.run('a').done, second);
  paced.run('b');
  await settle();
  assert.deepEqual(begun, ['a', 'b']);
  await end(1);
  await first;
  assert.deepEqual(begun, ['a', 'b', 'a']);
  await end(1);
  await end(1);
  await second;
  assert.deepEqual(begun, ['a', 'b', 'a']);
});

test('a small value never causes a pause, however long its run took', async () => {
  const { paced, settle, end } = setUp(10);
  paced.run('a');
  await settle();
  await end(500);
  assert.equal(paced.run('a').isPaused, false);
});

test('a large value causes a bounded pause in proportion to its run', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { paced, begun, settle, end, pass } = setUp(LARGE);
  assert.equal(paced.run('a').isPaused, false);
  await settle();
  await end(100);
  assert.equal(paced.run('a').isPaused, true);
  await settle();
  assert.equal(begun.length, 1);
  pass(400);
  t.mock.timers.tick(400);
  await settle();
  assert.equal(begun.length, 2);
  await end(5000);
  assert.equal(paced.run('a').isPaused, true);
  pass(700);
  t.mock.timers.tick(700);
  await settle();
  assert.equal(begun.length, 3);
});

test('a request during the run of a large value is paused', async () => {
  const { paced, settle, end, pass } = setUp(LARGE);
  paced.run('a');
  await settle();
  // The sync does not know yet that the value is large.
  assert.equal(paced.run('b').isPaused, false);
  await end(100);
  pass(400);
  paced.run('a');
  await settle();
  assert.equal(paced.run('a').isPaused, true);
});

test('a failed run rejects its callers, and the next run begins', async () => {
  let fails = true;
  const sync = (): Promise<number> =>
    fails ? Promise.reject(new Error('away')) : Promise.resolve(1);
  const paced = new CoalescingSync({ sync, now: () => 0 });
  await assert.rejects(paced.run('a').done, /away/);
  fails = false;
  await paced.run('a').done;
});
