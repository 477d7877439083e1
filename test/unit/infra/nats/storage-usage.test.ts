import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fillOf, storageUsage } from '#infra/nats/streams/storage-usage.ts';

type Account = Parameters<typeof storageUsage>[0];

const account = (storage: number, limit: number, tiers?: object): Account =>
  ({ storage, limits: { max_storage: limit }, ...(tiers && { tiers }) }) as Account;

test('usage of a broker is the part of one replica', () => {
  const usage = storageUsage(account(300, -1), { replicas: 3, bytesMax: 200 });
  assert.deepEqual(usage, { bytes: 100, bytesMax: 200 });
  assert.equal(fillOf(usage), 0.5);
});

test('usage has the lower of the setting and the limit of the account', () => {
  const bounds = (limit: number, bytesMax: number | undefined): number | undefined =>
    storageUsage(account(0, limit), { replicas: 3, bytesMax }).bytesMax;
  assert.equal(bounds(600, 500), 200);
  assert.equal(bounds(600, 100), 100);
  assert.equal(bounds(600, undefined), 200);
  assert.equal(bounds(-1, undefined), undefined);
});

test('usage counts the tier when the account has tiers', () => {
  const tiers = { R3: { storage: 90, limits: { max_storage: 60 } } };
  const usage = storageUsage(account(1000, 0, tiers), { replicas: 3, bytesMax: undefined });
  assert.deepEqual(usage, { bytes: 30, bytesMax: 60 });
});

test('nothing is full when it has no bound', () => {
  assert.equal(fillOf({ bytes: 10, bytesMax: undefined }), 0);
  assert.equal(fillOf({ bytes: 10, bytesMax: -1 }), 0);
});
