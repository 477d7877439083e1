import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EndpointDocument, StoredSecret } from '#infra/mongo/configuration.ts';
import {
  checkSecret,
  rotateSecrets,
  toSecretResources,
  successorOf,
} from '#src/control/resources/endpoint-secrets.ts';
import { newSecret } from '#wire/webhook/signature.ts';

const now = new Date(1_000_000);
const at = (seconds: number): Date => new Date(now.getTime() + seconds * 1000);
const secret = (sealed: string, notAfter: Date | null): StoredSecret => ({
  sealed,
  created_at: now,
  not_after: notAfter,
});
const ends = (secrets: StoredSecret[]) =>
  secrets.map((each) => [each.sealed, each.not_after?.getTime() ?? null]);

test('after a rotation the new secret is first, and previous ones end with the overlap', () => {
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

test('an overlap of zero ends previous secrets immediately, and omits ended ones', () => {
  const before = [secret('b', null), secret('a', at(-1))];
  assert.deepEqual(ends(rotateSecrets(before, secret('c', null), now, now)), [['c', null]]);
});

test('at most five secrets are valid at the same time', () => {
  const before = Array.from({ length: 4 }, (_, i) => secret(`${i}`, at(60)));
  const rotated = rotateSecrets(before, secret('new', null), at(60), now);
  assert.equal(rotated.length, 5);
  assert.throws(() => rotateSecrets(rotated, secret('one more', null), at(60), now), /wait/);
});

test('rejects an invalid secret of the caller', () => {
  assert.equal(checkSecret(undefined), undefined);
  const given = `whsec_${Buffer.alloc(24, 1).toString('base64')}`;
  assert.equal(checkSecret(given), given);
  for (const bad of ['', 'secret', 'whsec_AAAA', `whsec_${'A'.repeat(100)}`]) {
    assert.throws(() => checkSecret(bad), /\/secret/);
  }
});

test('rejects an ed25519 key whose public half belongs to another one', () => {
  const bytes = (key: string): Buffer => Buffer.from(key.slice('whsk_'.length), 'base64');
  const [one, other] = [bytes(newSecret('ed25519')), bytes(newSecret('ed25519'))];
  const mixed = Buffer.concat([one.subarray(0, 32), other.subarray(32)]);
  assert.equal(checkSecret(`whsk_${one.toString('base64')}`), `whsk_${one.toString('base64')}`);
  assert.throws(
    () => checkSecret(`whsk_${mixed.toString('base64')}`),
    /must end with the public key/,
  );
});

test('secrets that cannot be opened are shown without their algorithm', () => {
  const box = {
    seal: (text: string) => text,
    open: () => {
      throw new Error('sealed by another master key');
    },
  };
  const endpoint = { _id: 'ep_1', secrets: [secret('a', null)] } as EndpointDocument;
  assert.deepEqual(toSecretResources(box, endpoint, now), [
    { algorithm: null, public_key: null, created_at: now.toISOString(), expires_at: null },
  ]);
});

test('a rotated secret keeps its algorithm, and is HMAC when no key opens the old one', () => {
  const endpoint = { _id: 'ep_1', secrets: [secret('sealed', null)] } as EndpointDocument;
  const box = (open: () => string) => ({ seal: (text: string) => text, open });
  const ed25519 = newSecret('ed25519');
  assert.match(
    successorOf(
      box(() => ed25519),
      endpoint,
    ),
    /^whsk_/,
  );
  const lost = (): never => {
    throw new Error('the secret was sealed with another master key');
  };
  assert.match(successorOf(box(lost), endpoint), /^whsec_/);
});
