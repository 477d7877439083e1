import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { deliveryId, newId } from '#domain/ids.ts';

test('a new id has its prefix and 26 characters, and no two are the same', () => {
  const ids = Array.from({ length: 10_000 }, () => newId('evt', Date.now()));
  assert.equal(new Set(ids).size, ids.length);
  for (const id of ids) assert.match(id, /^evt_[0-9a-hjkmnp-tv-z]{26}$/);
});

test('ids made later sort later', () => {
  const time = fc.integer({ min: 0, max: 2 ** 48 - 2 });
  fc.assert(
    fc.property(time, time, (a, b) => {
      fc.pre(a !== b);
      assert.equal(newId('evt', a) < newId('evt', b), a < b);
    }),
  );
});

test('equal inputs give the same delivery id, and other inputs give another one', () => {
  const id = deliveryId('acme', 'e1', 'ep_1');
  assert.match(id, /^dlv_[\w-]{26}$/);
  assert.equal(deliveryId('acme', 'e1', 'ep_1'), id);
  const others = [
    deliveryId('acme2', 'e1', 'ep_1'),
    deliveryId('acme', 'e2', 'ep_1'),
    deliveryId('acme', 'e1', 'ep_2'),
    deliveryId('acme', 'e1', 'ep_1', 'rpl_1'),
    deliveryId('acm', 'ee1', 'ep_1'),
  ];
  assert.equal(new Set([id, ...others]).size, others.length + 1);
});
