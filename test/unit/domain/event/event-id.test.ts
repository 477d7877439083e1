import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { broadcastEventId, cloudEventId, isEventId, plainEventId } from '#domain/event/event-id.ts';

test('a CloudEvent keeps its id when its source is the default one', () => {
  assert.equal(cloudEventId('/tenants/acme', 'order-7', '/tenants/acme'), 'order-7');
});

test('the event id is a digest when the source of a CloudEvent is another one or its id is not legal', () => {
  // Stored ids depend on this digest, so it must never change.
  assert.equal(
    cloudEventId('/orders', '1', '/tenants/acme'),
    'ce_dNpqB6uqJ6Bd3n-cX9vPKN2CGj40O3JiJfDao-dnqrI',
  );
  for (const id of ['a.b', 'a b', 'ü', 'x'.repeat(201)]) {
    const made = cloudEventId('/tenants/acme', id, '/tenants/acme');
    assert.match(made, /^ce_[\w-]{43}$/);
    assert.ok(isEventId(made));
  }
});

test('different pairs of source and id have different event ids', () => {
  const text = fc.string({ maxLength: 8 });
  fc.assert(
    fc.property(text, text, text, text, (source, id, otherSource, otherId) => {
      const isSame = source === otherSource && id === otherId;
      const ids = [cloudEventId(source, id, 'd'), cloudEventId(otherSource, otherId, 'd')];
      assert.equal(ids[0] === ids[1], isSame);
    }),
  );
});

test('the event id of a broadcast is a digest for any source and id', () => {
  // Stored ids depend on this digest, so it must never change.
  assert.equal(
    broadcastEventId('/broadcasts', 'b1'),
    'bc_RAo5FMU9qf_jV9NQ98LzAMbQ4zSkoVWFL4EkBlGbGYM',
  );
  assert.ok(isEventId(broadcastEventId('/broadcasts', 'b1')));
});

test('a plain event keeps its id, and gets a digest when its id has the form of one', () => {
  const keep = ['b1', 'ce_1', 'bc_x', `ce_${'a'.repeat(44)}`, `xx_${'a'.repeat(43)}`];
  for (const id of keep) assert.equal(plainEventId('/tenants/acme', id), id);
  const digests = [cloudEventId('/orders', '1'), broadcastEventId('/broadcasts', 'b1')];
  for (const id of digests) {
    const made = plainEventId('/tenants/acme', id);
    assert.match(made, /^ce_[\w-]{43}$/);
    assert.notEqual(made, id);
    // The same id from the default source, as a CloudEvent, is the same event.
    assert.equal(cloudEventId('/tenants/acme', id, '/tenants/acme'), made);
  }
});
