import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errors, type NatsConnection } from '@nats-io/nats-core';
import {
  apiErrorCode,
  isGone,
  isNoneLeft,
  isRightMissing,
  isServerFull,
  isStorageFull,
  isWriteConflict,
} from '#infra/nats/api-errors.ts';
import { newInbox } from '#infra/nats/new-inbox.ts';

const coded = (code: number): Error => Object.assign(new Error('refused'), { code });

test('each code of the JetStream API has its meaning', () => {
  const meanings = { isGone, isNoneLeft, isServerFull, isStorageFull, isWriteConflict };
  const of = (code: number): string[] =>
    Object.entries(meanings).flatMap(([name, holds]) => (holds(coded(code)) ? [name] : []));
  for (const full of [10_002, 10_023, 10_047]) {
    assert.deepEqual(of(full), ['isServerFull', 'isStorageFull'], String(full));
  }
  assert.deepEqual(of(10_077), ['isStorageFull']);
  for (const gone of [10_043, 10_057]) assert.deepEqual(of(gone), ['isGone'], String(gone));
  for (const conflict of [10_071, 10_164]) assert.deepEqual(of(conflict), ['isWriteConflict']);
  assert.deepEqual(of(404), ['isNoneLeft']);
  assert.deepEqual(of(10_058), []);
  assert.equal(apiErrorCode(coded(10_058)), 10_058);
});

test('a missing right is recognized in an error and in its cause', () => {
  const denied = new errors.PermissionViolationError('denied', 'publish', '$JS.API.INFO');
  assert.ok(isRightMissing(denied));
  assert.ok(isRightMissing(new Error('request failed', { cause: denied })));
  assert.equal(isRightMissing(new Error('request failed')), false);
});

test('an inbox is below the prefix of its connection', () => {
  const nc = { options: { inboxPrefix: '_INBOX_router' } } as object as NatsConnection;
  assert.match(newInbox(nc), /^_INBOX_router\.[A-Za-z0-9]{22}$/);
});
