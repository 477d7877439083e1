import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { retry, retryWhile } from '#infra/retry.ts';

const RANGE = { firstMs: 100, maxMs: 400 };

/** Work that fails `failures` times; the test moves the clock. */
function failing(t: TestContext, failures: number) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const errors: string[] = [];
  let tries = 0;
  return {
    errors,
    tries: () => tries,
    work: async (): Promise<string> => {
      tries++;
      if (tries <= failures) throw new Error(`failure ${tries}`);
      return 'done';
    },
    onFailure: (error: unknown): void => void errors.push((error as Error).message),
    /** Passes time, and lets the work that is due then run. */
    pass: async (ms: number): Promise<void> => {
      await settle();
      t.mock.timers.tick(ms);
      await settle();
    },
  };
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}

test('retry runs the work again after growing delays until it succeeds', async (t) => {
  const { work, onFailure, pass, tries, errors } = failing(t, 5);
  const done = retry(work, { ...RANGE, onFailure });
  const triesAfter: number[] = [];
  for (const ms of [99, 1, 199, 1, 399, 1, 400, 400]) {
    await pass(ms);
    triesAfter.push(tries());
  }
  assert.deepEqual(triesAfter, [1, 2, 2, 3, 3, 4, 5, 6]);
  assert.equal(await done, 'done');
  assert.equal(errors.length, 5);
});

test('retry ends with the error that onFailure throws', async (t) => {
  const { work } = failing(t, 5);
  const onFailure = (error: unknown): void => {
    throw new Error('cannot be repaired', { cause: error });
  };
  await assert.rejects(retry(work, { ...RANGE, onFailure }), /cannot be repaired/);
});

test('retryWhile ends during a delay when its signal aborts, but always starts the first try', async (t) => {
  const { work, onFailure, tries } = failing(t, 5);
  const stopping = new AbortController();
  const { signal } = stopping;
  const ended = retryWhile(work, { ...RANGE, signal, onFailure });
  await settle();
  stopping.abort();
  assert.equal(await ended, undefined);
  assert.equal(tries(), 1);
  assert.equal(await retryWhile(work, { ...RANGE, signal, onFailure }), undefined);
  assert.equal(tries(), 2);
});

test('retryWhile starts no try when it is no longer wanted', async (t) => {
  const { work, onFailure, pass, tries } = failing(t, 5);
  let isWanted = true;
  const ended = retryWhile(work, { ...RANGE, isWanted: () => isWanted, onFailure });
  await pass(100);
  assert.equal(tries(), 2);
  isWanted = false;
  await pass(200);
  assert.equal(await ended, undefined);
  assert.equal(tries(), 2);
});
