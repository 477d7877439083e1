import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { FairShares } from '#domain/contention/fair-shares.ts';

/** Returns the number of places of an owner that takes as many as it can. */
function takeAll(shares: FairShares, owner: string): number {
  let taken = 0;
  while (shares.tryTake(owner)) taken++;
  return taken;
}

test('a greedy owner gets four fifths, and another owner its part of the rest', () => {
  const shares = new FairShares(1000);
  assert.equal(takeAll(shares, 'greedy'), 800);
  assert.equal(takeAll(shares, 'second'), 160);
  for (let i = 0; i < 800; i++) shares.give('greedy');
  assert.equal(shares.heldBy('greedy'), 0);
  // Four times the free amount: 672 to 168.
  assert.equal(takeAll(shares, 'greedy'), 672);
});

test('an owner that holds nothing finds a place while several take all they can', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 50, max: 2000 }),
      fc.array(fc.constantFrom('a', 'b'), { maxLength: 4000 }),
      (max, owners) => {
        const shares = new FairShares(max);
        for (const owner of owners) shares.tryTake(owner);
        assert.ok(shares.tryTake('newcomer'));
      },
    ),
  );
});

test('a single place goes to the first owner that asks', () => {
  const shares = new FairShares(1);
  assert.ok(shares.tryTake('a'));
  assert.ok(!shares.tryTake('b'));
  shares.give('a');
  assert.ok(shares.tryTake('b'));
});
