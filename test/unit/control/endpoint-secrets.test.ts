import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StoredSecret } from '#infra/mongo/configuration.ts';
import { checkSecret, rotateSecrets } from '#src/control/endpoint-secrets.ts';

const now = new Date(1_000_000);
const at = (seconds: number): Date => new Date(now.getTime() + seconds * 1000);
const secret = (sealed: string, notAfter: Date | null): StoredSecret => ({
  sealed,
  created_at: now,
  not_after: notAfter,
});
const ends = (secrets: StoredSecret[]) =>
  secrets.map((each) => [each.sealed, each.not_after?.getTime() ?? null]);

test('after a rotation the new secret stands first, and those before end with the overlap', () => {
  const rotated = rotateSecrets(
    [secret('b', null), secret('a', at(60))],
    secret('c', null),
    at(3600),
    now,
  );
  assert.deepEqual(ends(rotated), [
    ['c', null],
    ['b', at(3600).getTime()],
    ['a', at(60).getTime()],
  ]);
});

test('an overlap of nothing ends those before at once, and those that have ended are left out', () => {
  const before = [secret('b', null), secret('a', at(-1))];
  assert.deepEqual(ends(rotateSecrets(before, secret('c', null), now, now)), [['c', null]]);
});

test('at most five are valid at once', () => {
  const before = Array.from({ length: 4 }, (_, i) => secret(`${i}`, at(60)));
  const rotated = rotateSecrets(before, secret('new', null), at(60), now);
  assert.equal(rotated.length, 5);
  assert.throws(() => rotateSecrets(rotated, secret('one more', null), at(60), now), /wait/);
});

test('a secret of the caller is checked, and made where there is none', () => {
  assert.match(checkSecret(undefined), /^whsec_/);
  const given = `whsec_${Buffer.alloc(24, 1).toString('base64')}`;
  assert.equal(checkSecret(given), given);
  for (const bad of ['', 'secret', 'whsec_AAAA', `whsec_${'A'.repeat(100)}`]) {
    assert.throws(() => checkSecret(bad), /\/secret/);
  }
});
