import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AccountKey, newAccountSeed } from '#src/ingress/auth-callout/account-key.ts';
import { decodeClaims, encodeJwt } from '#src/ingress/auth-callout/jwt.ts';

/** Made, and signed with, by @nats-io/nkeys; it opens nothing. */
const VECTOR = {
  seed: 'SAACDJMPXLMHPJ45VROIIVNSW76A5FEGDQAYDVKRBBHZG474XQIHBLOMFY',
  publicKey: 'AAJTLRSSURKRCERDYMUDXYMTGVKGV3NV3RTQMPBKA37J7FZWDMEL34IU',
  text: 'posthorn',
  signature:
    'ASOrZwfevbMTz-jisSq7zhvXN1c-3Wr6ehVg72ZgQFCRnhO0P62cMdtZyUVFYEHeYzly-PGLPHtTlx9HwGYBDg',
};

test('a key reads, shows and signs like the NATS library', () => {
  const key = new AccountKey(VECTOR.seed);
  assert.equal(key.publicKey, VECTOR.publicKey);
  assert.equal(key.sign(VECTOR.text).toString('base64url'), VECTOR.signature);
});

test('a new seed gives an account key that NATS reads', () => {
  const seed = newAccountSeed();
  assert.match(seed, /^SA[A-Z2-7]{56}$/);
  assert.match(new AccountKey(seed).publicKey, /^A[A-Z2-7]{55}$/);
  assert.notEqual(newAccountSeed(), seed);
});

test('rejects an invalid or damaged seed with a RangeError', () => {
  const seed = newAccountSeed();
  assert.throws(() => new AccountKey('SAAA'), /is not the seed of an account/);
  assert.throws(() => new AccountKey(seed.replace('S', 'T')), /is not the seed of an account/);
  assert.throws(() => new AccountKey(`${seed}!`), /is not the seed of an account/);
  const damaged = seed.slice(0, 10) + (seed[10] === 'B' ? 'C' : 'B') + seed.slice(11);
  assert.throws(() => new AccountKey(damaged), /checksum/);
});

test('a token is signed with the account key and carries the given claims', () => {
  const key = new AccountKey(newAccountSeed());
  const token = encodeJwt({ sub: 'U1', nats: { type: 'user' } }, key);
  assert.deepEqual(decodeClaims(token), { sub: 'U1', nats: { type: 'user' } });
  const [head, body, signature] = token.split('.') as [string, string, string];
  assert.deepEqual(JSON.parse(Buffer.from(head, 'base64url').toString()), {
    typ: 'JWT',
    alg: 'ed25519-nkey',
  });
  assert.deepEqual(Buffer.from(signature, 'base64url'), key.sign(`${head}.${body}`));
  for (const broken of ['', 'a.b', 'a.bnVsbA']) assert.throws(() => decodeClaims(broken));
});
