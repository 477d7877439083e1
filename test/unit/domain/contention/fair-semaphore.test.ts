import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { FairSemaphore } from '#domain/contention/fair-semaphore.ts';

/** A semaphore that records its holders in the order in which they began. */
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

test('holders never exceed the slots, and a tenant without one gets the next free slot in turn', () => {
  const action = fc.record({
    isEnter: fc.boolean(),
    tenant: fc.constantFrom('a', 'b', 'c', 'd'),
    isWanted: fc.constantFrom(true, true, true, false),
  });
  const actions = fc.array(action, { maxLength: 200 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 6 }), actions, (count, all) => {
      const slots = new FairSemaphore(count);
      const held = new Map<string, number>();
      const waiting = new Map<string, number>();
      const add = (of: Map<string, number>, tenant: string, n: number): void =>
        void of.set(tenant, (of.get(tenant) ?? 0) + n);
      for (const { isEnter, tenant, isWanted } of all) {
        if (isEnter) {
          add(waiting, tenant, 1);
          slots.enter(tenant, () => {
            add(waiting, tenant, -1);
            if (isWanted) add(held, tenant, 1);
            return isWanted;
          });
        } else if ((held.get(tenant) ?? 0) > 0) {
          add(held, tenant, -1);
          slots.leave(tenant);
        }
        const inUse = [...held.values()].reduce((sum, n) => sum + n, 0);
        assert.ok(inUse <= count, `${inUse} of ${count}`);
        for (const [name, n] of waiting) {
          const isStarved = n > 0 && (held.get(name) ?? 0) === 0 && inUse < count;
          assert.ok(!isStarved, `${name} waits despite a free slot and holds none`);
        }
      }
    }),
  );
});
