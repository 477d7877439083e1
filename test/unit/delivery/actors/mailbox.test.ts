import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Mailbox } from '#src/delivery/actors/mailbox.ts';
import type { InFlightDelivery } from '#src/delivery/intake/in-flight-delivery.ts';

const delivery = (lane: 'h' | 's' | 't'): InFlightDelivery =>
  ({ deliveryClass: lane }) as InFlightDelivery;

test('a mailbox returns high priority first, and each priority in order of arrival', () => {
  const mailbox = new Mailbox();
  const [s1, s2, h1, h2] = [delivery('s'), delivery('s'), delivery('h'), delivery('h')];
  for (const one of [s1, h1, s2, h2]) mailbox.push(one);
  assert.equal(mailbox.length, 4);
  assert.equal(mailbox.aheadOf(delivery('h')), 2);
  assert.equal(mailbox.aheadOf(delivery('s')), 4);
  assert.equal(mailbox.lengthBeside(delivery('s')), 2);
  assert.equal(mailbox.shift(), h1);
  assert.equal(mailbox.hasHigh, true);
  assert.equal(mailbox.shift(), h2);
  assert.equal(mailbox.hasHigh, false);
  assert.equal(mailbox.shift(), s1);
  assert.deepEqual(mailbox.empty(), [s2]);
  assert.equal(mailbox.shift(), undefined);
  assert.equal(mailbox.length, 0);
});

test('a mailbox gives up lane deliveries beyond the share from its end, and keeps the order of the rest', () => {
  const mailbox = new Mailbox();
  const [t1, s1, t2, s2, t3] = [
    delivery('t'),
    delivery('s'),
    delivery('t'),
    delivery('s'),
    delivery('t'),
  ];
  for (const one of [t1, s1, t2, s2, t3, delivery('h')]) mailbox.push(one);
  assert.equal(mailbox.headIsOfLane, false);
  assert.deepEqual(mailbox.takeLaneBeyond(5), []);
  assert.deepEqual(mailbox.takeLaneBeyond(2), [t2, t3]);
  mailbox.shift();
  assert.equal(mailbox.headIsOfLane, true);
  assert.deepEqual(mailbox.empty(), [t1, s1, s2]);
});
