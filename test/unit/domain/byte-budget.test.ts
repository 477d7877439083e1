import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteBudget } from '#domain/byte-budget.ts';

test('bytes are taken while there is room, and given back once', () => {
  const budget = new ByteBudget(10);
  const first = budget.tryTake(6);
  assert.ok(first);
  assert.equal(budget.tryTake(5), undefined);
  const second = budget.tryTake(4);
  assert.ok(second);
  first();
  first();
  // Six have come back, not twelve.
  assert.equal(budget.tryTake(7), undefined);
  const third = budget.tryTake(6);
  assert.ok(third);
  second();
  third();
  // Larger than all of it: taken only where nothing else is there.
  assert.ok(budget.tryTake(11));
});

test('what is larger than all of it has its turn alone', () => {
  const budget = new ByteBudget(10);
  const large = budget.tryTake(25);
  assert.ok(large);
  assert.equal(budget.tryTake(1), undefined);
  large();
  assert.ok(budget.tryTake(1));
  assert.equal(budget.tryTake(25), undefined);
});
