import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RetryQueue } from '#src/control/deliveries/retry-queue.ts';
import { waitUntil } from '#testkit/wait-until.ts';

/** Work that the test completes by `succeed` or `fail`. */
function heldWork() {
  const started: string[] = [];
  const ends = new Map<string, { resolve: () => void; reject: (error: Error) => void }>();
  return {
    started,
    work: (key: string) =>
      new Promise<void>((resolve, reject) => {
        started.push(key);
        ends.set(key, { resolve, reject });
      }),
    succeed: (key: string) => ends.get(key)?.resolve(),
    fail: (key: string) => ends.get(key)?.reject(new Error('unavailable')),
  };
}

test('a key runs once at a time, and once more if it was added during its run', async () => {
  const { work, started, succeed } = heldWork();
  const queue = new RetryQueue({ work, onFailure: assert.fail, concurrency: 4 });
  queue.add('a');
  queue.add('a');
  queue.add('a');
  assert.deepEqual(started, ['a']);
  succeed('a');
  await waitUntil(() => started.length === 2);
  succeed('a');
  await queue.idle();
  assert.deepEqual(started, ['a', 'a']);
});

test('no more keys run concurrently than allowed', async () => {
  const { work, started, succeed } = heldWork();
  const queue = new RetryQueue({ work, onFailure: assert.fail, concurrency: 2 });
  for (const key of ['a', 'b', 'c']) queue.add(key);
  assert.deepEqual(started, ['a', 'b']);
  succeed('b');
  await waitUntil(() => started.length === 3);
  succeed('a');
  succeed('c');
  await queue.idle();
  assert.equal(queue.size, 0);
});

test('a failed key is retried until it succeeds', async () => {
  let failures = 0;
  const queue = new RetryQueue({
    work: async () => {
      if (failures < 2) throw new Error('unavailable');
    },
    onFailure: () => failures++,
    concurrency: 1,
  });
  queue.add('a');
  await queue.idle();
  assert.equal(failures, 2);
});

test('a key that always fails does not delay the others', async () => {
  const done: string[] = [];
  let failures = 0;
  const queue = new RetryQueue({
    work: async (key) => {
      if (key === 'poison') throw new Error('too large');
      done.push(key);
    },
    onFailure: () => failures++,
    concurrency: 1,
  });
  queue.add('poison');
  await waitUntil(() => failures > 0);
  for (let i = 0; i < 20; i++) queue.add(`k${i}`);
  await waitUntil(() => done.length === 20);
  assert.equal(queue.size, 1);
  queue.stop();
});

test('stop drops waiting keys, accepts no new ones, and resolves idle', async () => {
  const { work, started } = heldWork();
  const queue = new RetryQueue({ work, onFailure: assert.fail, concurrency: 1 });
  queue.add('a');
  queue.add('b');
  const idle = queue.idle();
  queue.stop();
  queue.add('c');
  await idle;
  assert.deepEqual(started, ['a']);
});
