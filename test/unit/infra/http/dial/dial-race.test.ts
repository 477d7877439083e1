import assert from 'node:assert/strict';
import { test } from 'node:test';
import { interleaveFamilies } from '#infra/http/dial/dial-race.ts';

const order = (...addresses: string[]): string[] =>
  interleaveFamilies(
    addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
  );

test('families alternate, beginning with the one that the resolver prefers', () => {
  const mixed = order('::1', '::2', '::3', '1.1.1.1', '1.1.1.2');
  assert.deepEqual(mixed, ['::1', '1.1.1.1', '::2', '1.1.1.2', '::3']);
  assert.deepEqual(order('1.1.1.1', '1.1.1.2', '::1'), ['1.1.1.1', '::1', '1.1.1.2']);
});

test('addresses of one family keep the order of the resolver', () => {
  assert.deepEqual(order('1.1.1.2', '1.1.1.1'), ['1.1.1.2', '1.1.1.1']);
  assert.deepEqual(order(), []);
});

test('an address that is listed twice is tried once', () => {
  assert.deepEqual(order('::1', '1.1.1.1', '::1', '1.1.1.1'), ['::1', '1.1.1.1']);
});
