import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FairSemaphore } from '#infra/http/dial/fair-semaphore.ts';

/** A semaphore whose holders are named in the order in which they began. */
function startSlots(count: number) {
  const slots = new FairSemaphore(count);
  const began: string[] = [];
  const enter = (tenant: string, times = 1, isWanted = () => true): void => {
    for (let n = 0; n < times; n++) {
      slots.enter(tenant, () => {
        if (isWanted()) began.push(tenant);
        return isWanted();
      });
    }
  };
  return { slots, began, enter };
}

test('a tenant holds half of the free slots, and other tenants find room', () => {
  const { began, enter } = startSlots(10);
  enter('a', 40);
  assert.deepEqual(began.splice(0), ['a', 'a', 'a']);
  enter('b', 40);
  assert.deepEqual(began.splice(0), ['b', 'b']);
  enter('c', 40);
  assert.deepEqual(began.splice(0), ['c', 'c']);
  for (const tenant of ['d', 'e', 'f']) enter(tenant, 40);
  assert.deepEqual(began.splice(0), ['d', 'e', 'f']);
  enter('g', 40);
  assert.deepEqual(began, []);
});

test('a waiting tenant gets a released slot in its turn', () => {
  const { slots, began, enter } = startSlots(1);
  enter('a', 3);
  enter('b', 2);
  enter('c');
  for (const tenant of ['a', 'b', 'c', 'a', 'b']) slots.leave(tenant);
  assert.deepEqual(began, ['a', 'b', 'c', 'a', 'b', 'a']);
});

test('a request that is needed no more takes no slot', () => {
  const { slots, began, enter } = startSlots(1);
  let isWanted = true;
  enter('a');
  enter('a', 100, () => isWanted);
  enter('b');
  isWanted = false;
  slots.leave('a');
  assert.deepEqual(began, ['a', 'b']);
});

test('every slot is free again after all were released', () => {
  const { slots, began, enter } = startSlots(4);
  for (let n = 0; n < 1000; n++) enter(`t${n % 7}`);
  for (let done = 0; done < began.length; done++) slots.leave(began[done] as string);
  assert.equal(began.length, 1000);
  began.length = 0;
  for (const tenant of ['a', 'b', 'c', 'd', 'e']) enter(tenant, 9);
  assert.deepEqual(began, ['a', 'b', 'c', 'd']);
});
