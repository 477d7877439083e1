import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteBudget } from '#domain/bounds/byte-budget.ts';

test('bytes are reserved while there is room, and released once', () => {
  const budget = new ByteBudget(10);
  const first = budget.tryTake('a', 6);
  assert.ok(first);
  assert.equal(budget.tryTake('b', 5), undefined);
  const second = budget.tryTake('b', 4);
  assert.ok(second);
  first();
  first();
  // The release counts once: six bytes are free again, not twelve.
  assert.equal(budget.tryTake('c', 7), undefined);
  const third = budget.tryTake('c', 6);
  assert.ok(third);
  second();
  third();
  // The request is larger than the budget, so it succeeds only while no other bytes are reserved.
  assert.ok(budget.tryTake('a', 11));
});

test('a request larger than the budget succeeds while nothing else is held', () => {
  const budget = new ByteBudget(10);
  const large = budget.tryTake('a', 25);
  assert.ok(large);
  assert.equal(budget.tryTake('b', 1), undefined);
  large();
  assert.ok(budget.tryTake('a', 1));
  assert.equal(budget.tryTake('b', 25), undefined);
});
