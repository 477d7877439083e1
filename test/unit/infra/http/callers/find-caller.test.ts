import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NatsConnection } from '@nats-io/nats-core';
import type { Principal } from '#domain/authorization.ts';
import { type ErrorCode, isPosthornError, PosthornError } from '#domain/errors.ts';
import { createFindCaller, type TokenKind } from '#infra/http/callers/find-caller.ts';
import { KeyUses } from '#infra/http/callers/key-uses.ts';
import { WrongKeys } from '#infra/http/callers/wrong-keys.ts';
import { createLog } from '#infra/telemetry/log.ts';
import { decodeKeyUses } from '#wire/key-uses.ts';
import { ManualClock } from '#testkit/test-clock.ts';

const caller = (keyId: string): Principal => ({ keyId, scope: 'platform' });

/** Accepts `Bearer key_…`; the tokens `late …` are answered by a promise. */
function started() {
  const clock = new ManualClock({ wall: 1_000_000_000, monotonic: 1_000_000 });
  const sent: string[] = [];
  const nc = { publish: (_subject: string, body: string) => void sent.push(body) };
  const uses = new KeyUses({
    nc: nc as unknown as NatsConnection,
    clock,
    log: createLog('silent'),
  });
  const late: TokenKind = {
    fits: (text) => text.startsWith('late '),
    find: async (text) => {
      if (text === 'late wrong') throw new PosthornError('POSTHORN_KEY_INVALID');
      if (text === 'late away') throw new PosthornError('POSTHORN_MONGODB_UNAVAILABLE');
      return caller(text.slice('late '.length));
    },
  };
  const find = createFindCaller({
    authenticate: (text) => {
      if (text === undefined) throw new PosthornError('POSTHORN_KEY_MISSING');
      if (!text.startsWith('Bearer key_')) throw new PosthornError('POSTHORN_KEY_INVALID');
      return caller(text.slice('Bearer '.length));
    },
    tokens: [late],
    uses,
    wrongKeys: new WrongKeys({ perMinute: 2, clock }),
  });
  const result = async (text: string | undefined, address = '192.0.2.1') => {
    try {
      return (await find(text, address)).keyId;
    } catch (error) {
      assert.ok(isPosthornError(error));
      return error.code satisfies ErrorCode;
    }
  };
  return { clock, find, result, uses, sent };
}

test('a key is found without a promise, a token with one', async () => {
  const { find } = started();
  assert.deepEqual(find('Bearer key_1', '192.0.2.1'), caller('key_1'));
  const token = find('late key_2', '192.0.2.1');
  assert.ok(token instanceof Promise);
  assert.deepEqual(await token, caller('key_2'));
});

test('an address with too many wrong keys is refused every key that was not accepted before', async () => {
  const { clock, result } = started();
  assert.equal(await result('Bearer key_1'), 'key_1');
  assert.equal(await result('Bearer no'), 'POSTHORN_KEY_INVALID');
  assert.equal(await result('late wrong'), 'POSTHORN_KEY_INVALID');
  assert.equal(await result('Bearer no'), 'POSTHORN_KEY_TRIES_EXCEEDED');
  assert.equal(await result('late wrong'), 'POSTHORN_KEY_TRIES_EXCEEDED');
  // A right key is answered like a wrong one.
  assert.equal(await result('Bearer key_2'), 'POSTHORN_KEY_TRIES_EXCEEDED');
  assert.equal(await result('late key_3'), 'POSTHORN_KEY_TRIES_EXCEEDED');
  assert.equal(await result('Bearer key_1'), 'key_1');
  assert.equal(await result('Bearer key_2', '192.0.2.2'), 'key_2');
  clock.advance(30_000);
  assert.equal(await result('Bearer key_4'), 'key_4');
});

test('missing keys and failures of the platform do not count as wrong keys', async () => {
  const { result } = started();
  for (let n = 0; n < 5; n++) {
    assert.equal(await result(undefined), 'POSTHORN_KEY_MISSING');
    assert.equal(await result('late away'), 'POSTHORN_MONGODB_UNAVAILABLE');
  }
  assert.equal(await result('Bearer key_9'), 'key_9');
});

test('uses of a key are reported once a minute at most, and those of other callers never', async () => {
  const { clock, result, uses, sent } = started();
  const reported = () => sent.splice(0).flatMap(decodeKeyUses);
  await result('Bearer key_1');
  await result('late ses_1');
  uses.report();
  assert.deepEqual(reported(), [{ id: 'key_1', atMs: 1_000_000_000 }]);
  clock.advance(59_999);
  await result('Bearer key_1');
  uses.report();
  assert.deepEqual(reported(), []);
  clock.advance(1);
  await result('Bearer key_1');
  uses.report();
  assert.deepEqual(reported(), [{ id: 'key_1', atMs: 1_000_060_000 }]);
  clock.advance(600_000);
  uses.report();
  assert.deepEqual(reported(), []);
});
