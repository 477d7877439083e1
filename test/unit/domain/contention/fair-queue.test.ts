import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { FairQueue } from '#domain/contention/fair-queue.ts';

/** Takes all available items and returns their order. */
function takeAll(queue: FairQueue<string>): string {
  let taken = '';
  for (let item = queue.head(); item !== undefined; item = queue.head()) {
    taken += item;
    queue.shift();
  }
  return taken;
}

/** Spends `units` units on the items at the head, as fan-outs do, and returns their order. */
function spendOn(queue: FairQueue<{ name: string; left: number }>, units: number): string {
  let order = '';
  for (let i = 0; i < units; i++) {
    let item = queue.head();
    while (item?.left === 0) {
      queue.shift();
      item = queue.head();
    }
    if (item === undefined) break;
    order += item.name;
    item.left--;
    queue.spend();
  }
  return order;
}

test('the items of a key are first in, first out', () => {
  const queue = new FairQueue<string>(100);
  for (const item of 'abcdef') queue.push('t', item);
  assert.equal(queue.isEmpty, false);
  assert.equal(takeAll(queue), 'abcdef');
  assert.equal(queue.isEmpty, true);
  assert.equal(queue.head(), undefined);
});

test('an item behind a long fan-out has its turn after one turn of each other key', () => {
  const queue = new FairQueue<{ name: string; left: number }>(4);
  queue.push('a', { name: 'a', left: 5000 });
  assert.equal(spendOn(queue, 2), 'aa');
  queue.push('b', { name: 'b', left: 1 });
  queue.push('c', { name: 'c', left: 6 });
  queue.push('a', { name: 'A', left: 1 });
  assert.equal(spendOn(queue, 19), 'aabccccaaaaccaaaaaa');
});

test('a key that is set aside is skipped until it is resumed at its head', () => {
  const queue = new FairQueue<string>(2);
  for (const item of 'abcd') queue.push('t', item);
  queue.push('u', 'x');
  queue.setAside();
  assert.equal(queue.head(), 'x');
  queue.shift();
  assert.equal(queue.head(), undefined);
  assert.equal(queue.isEmpty, false);
  queue.push('t', 'e');
  assert.equal(queue.head(), undefined, 'an item pushed to a key that is set aside waits with it');
  assert.deepEqual([...queue.items()], ['a', 'b', 'c', 'd', 'e']);
  queue.resume('t');
  queue.resume('t');
  queue.resume('nobody');
  assert.equal(takeAll(queue), 'abcde');
});

test('a key with a hundred thousand items removes each when it is done', () => {
  const queue = new FairQueue<number>(32);
  for (let i = 0; i < 100_000; i++) queue.push('t', i);
  for (let i = 0; i < 100_000; i++) {
    assert.equal(queue.head(), i);
    queue.shift();
    queue.spend();
  }
  assert.equal(queue.isEmpty, true);
});

test('items of a key keep their order, and none is lost, while other keys come and go', () => {
  const push = fc.record({ key: fc.constantFrom('a', 'b', 'c'), takes: fc.nat({ max: 4 }) });
  const runs = fc.array(push, { maxLength: 300 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), runs, (quantum, pushes) => {
      const queue = new FairQueue<{ key: string; no: number }>(quantum);
      const taken = new Map<string, number[]>([
        ['a', []],
        ['b', []],
        ['c', []],
      ]);
      const takeOne = (): void => {
        const item = queue.head();
        if (item === undefined) return;
        taken.get(item.key)?.push(item.no);
        if (queue.shift()) queue.spend();
      };
      pushes.forEach(({ key, takes }, no) => {
        queue.push(key, { key, no });
        for (let n = 0; n < takes; n++) takeOne();
      });
      while (!queue.isEmpty) takeOne();
      for (const [key, numbers] of taken) {
        const expected = pushes.flatMap((one, no) => (one.key === key ? [no] : []));
        assert.deepEqual(numbers, expected);
      }
    }),
  );
});
