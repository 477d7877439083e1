import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JsonFault } from '#domain/json/json-fault.ts';
import { LEAF } from '#domain/json/json-outline.ts';
import { limits } from '#domain/limits.ts';
import { JsonTurns } from '#infra/json-turns.ts';

/** Turns of an event loop that a test runs one by one. */
function stepwise() {
  const steps: (() => void)[] = [];
  const turns = new JsonTurns((step) => steps.push(step));
  return {
    turns,
    pending: () => steps.length,
    /** Runs one step and its continuations. */
    async step(): Promise<void> {
      (steps.shift() as () => void)();
      await Promise.resolve();
      await Promise.resolve();
    },
  };
}

const slices = (count: number): Buffer => {
  return Buffer.from(`"${'a'.repeat(count * limits.jsonSliceBytes - 2)}"`);
};

test('a large text is read one slice a step', async () => {
  const loop = stepwise();
  let isRead = false;
  void loop.turns.read('a', slices(8)).then(() => (isRead = true));
  for (let step = 1; step < 8; step++) {
    await loop.step();
    assert.ok(!isRead, `read in ${step} steps`);
    assert.equal(loop.pending(), 1);
  }
  await loop.step();
  assert.ok(isRead);
  assert.equal(loop.pending(), 0);
});

test('tenants take turns of a slice, and each is served in its own order', async () => {
  const loop = stepwise();
  const ended: string[] = [];
  const read = (owner: string, name: string, count: number): void => {
    void loop.turns.read(owner, slices(count)).then(() => ended.push(name));
  };
  read('a', 'a1', 3);
  read('a', 'a2', 1);
  read('a', 'a3', 1);
  read('b', 'b1', 1);
  read('c', 'c1', 2);
  while (loop.pending() > 0) await loop.step();
  assert.deepEqual(ended, ['b1', 'c1', 'a1', 'a2', 'a3']);
});

test('rejects a text that is not JSON, and reads the texts after it', async () => {
  const loop = stepwise();
  const bad = loop.turns.read('a', Buffer.from('['.repeat(limits.jsonAtOnceBytesMax)));
  const badBytes = loop.turns.read('a', Buffer.from([0xff]));
  const good = loop.turns.read('a', Buffer.from('{"x":[1]}'), { each: LEAF });
  const results = Promise.allSettled([bad, badBytes, good]);
  while (loop.pending() > 0) await loop.step();
  const [first, second, third] = await results;
  assert.ok(first.status === 'rejected' && first.reason instanceof JsonFault);
  assert.ok(second.status === 'rejected' && second.reason instanceof JsonFault);
  assert.ok(third.status === 'fulfilled');
  assert.deepEqual([...third.value.children.keys()], ['x']);
});
