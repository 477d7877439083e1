import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FairSearches } from '#src/control/history/fair-searches.ts';

test('a tenant whose searches take long leaves room for a search of another one', async () => {
  const searches = new FairSearches();
  const running: (() => void)[] = [];
  const slow = () => new Promise<void>((resolve) => running.push(resolve));
  const all = Array.from({ length: 50 }, () => searches.run('noisy', slow));
  assert.ok(running.length < 12, `${running.length} run`);
  assert.equal(await searches.run('quiet', async () => 'found'), 'found');
  for (let done = 0; done < all.length; done++) {
    await new Promise((resolve) => setImmediate(resolve));
    running.shift()?.();
  }
  await Promise.all(all);
});

test('a failed search releases its slot', async () => {
  const searches = new FairSearches();
  for (let i = 0; i < 20; i++) {
    await assert.rejects(
      searches.run('t', () => Promise.reject(new Error('over time'))),
      /over time/,
    );
  }
  assert.equal(await searches.run('t', async () => 1), 1);
});
