import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '#domain/limits.ts';
import { addressGroup } from '#infra/http/callers/address-group.ts';
import { WrongKeys } from '#infra/http/callers/wrong-keys.ts';
import { ManualClock } from '#testkit/test-clock.ts';

function started(perMinute: number) {
  const clock = new ManualClock({ wall: 0, monotonic: 1_000_000 });
  return { clock, wrong: new WrongKeys({ perMinute, clock }) };
}

test('an address may send the allowance of a minute, and then one key at each interval', () => {
  const { clock, wrong } = started(3);
  for (let sent = 0; sent < 3; sent++) {
    assert.equal(wrong.waitMs('192.0.2.1'), 0);
    wrong.record('192.0.2.1');
  }
  assert.equal(wrong.waitMs('192.0.2.1'), 20_000);
  assert.equal(wrong.waitMs('192.0.2.2'), 0);
  clock.advance(19_999);
  assert.equal(wrong.waitMs('192.0.2.1'), 1);
  clock.advance(1);
  assert.equal(wrong.waitMs('192.0.2.1'), 0);
  wrong.record('192.0.2.1');
  assert.equal(wrong.waitMs('192.0.2.1'), 20_000);
  clock.advance(120_000);
  for (let sent = 0; sent < 3; sent++) {
    assert.equal(wrong.waitMs('192.0.2.1'), 0);
    wrong.record('192.0.2.1');
  }
  assert.ok(wrong.waitMs('192.0.2.1') > 0);
});

test('memory is bounded: the address that failed least recently is forgotten', () => {
  const { wrong } = started(1);
  wrong.record('198.51.100.1');
  wrong.record('198.51.100.2');
  wrong.record('198.51.100.1');
  for (let n = 0; n < limits.wrongKeyAddressesMax - 1; n++) {
    wrong.record(`10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`);
  }
  assert.equal(wrong.waitMs('198.51.100.2'), 0);
  assert.ok(wrong.waitMs('198.51.100.1') > 0);
});

test('addresses of one IPv6 network count as one, and mapped addresses as IPv4', () => {
  const cases: [string, string][] = [
    ['2001:db8:0:1::5', '2001:db8:0:1::/64'],
    ['2001:0db8:0000:0001:ffff:ffff:ffff:ffff', '2001:db8:0:1::/64'],
    ['2001:DB8::1:2:3:4', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['192.0.2.7', '192.0.2.7'],
    ['', ''],
  ];
  for (const [address, group] of cases) assert.equal(addressGroup(address), group, address);
});
