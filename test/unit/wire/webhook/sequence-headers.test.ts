import assert from 'node:assert/strict';
import { createHmac, createPublicKey, verify } from 'node:crypto';
import { test } from 'node:test';
import type { EndpointTarget } from '#src/delivery/attempt/endpoint-target.ts';
import { sequenceSignatures } from '#src/delivery/attempt/endpoint-target.ts';
import { sequenceText } from '#wire/webhook/sequence-headers.ts';
import { createSigner, createTextSigner, newSecret, publicKeyOf } from '#wire/webhook/signature.ts';

test('the number of a webhook is signed with its id and time by HMAC', () => {
  const secret = newSecret();
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  const text = 'posthorn-sequence:evt_1:1700000000:42';
  assert.equal(sequenceText('evt_1', 1_700_000_000, 42), text);
  const expected = createHmac('sha256', key).update(text).digest('base64');
  assert.equal(createTextSigner(secret)(text), `v1,${expected}`);
});

test('the number of a webhook is signed by ed25519', () => {
  const secret = newSecret('ed25519');
  const text = sequenceText('evt_1', 1_700_000_000, 1);
  const x = Buffer.from((publicKeyOf(secret) ?? '').slice('whpk_'.length), 'base64');
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: x.toString('base64url') };
  const key = createPublicKey({ key: jwk, format: 'jwk' });
  const signature = createTextSigner(secret)(text);
  assert.match(signature, /^v1a,/);
  const bytes = Buffer.from(signature.slice('v1a,'.length), 'base64');
  assert.ok(verify(null, Buffer.from(text), key, bytes));
});

test('a webhook cannot have the signature of a number', () => {
  // The signed content of a webhook has two dots; an id with every allowed mark has none.
  assert.ok(!sequenceText('a_:@/+=~|-', 1_700_000_000, 2 ** 53 - 1).includes('.'));
});

test('each secret that is still valid signs the number', () => {
  const [newer, older, over] = [newSecret(), newSecret(), newSecret()];
  const target = {
    textSigners: [
      { sign: createTextSigner(newer), notAfterMs: Number.POSITIVE_INFINITY },
      { sign: createTextSigner(older), notAfterMs: 1_700_000_000_000 },
      { sign: createTextSigner(over), notAfterMs: 1_699_999_999_999 },
    ],
  } as Partial<EndpointTarget> as EndpointTarget;
  const text = sequenceText('evt_1', 1_700_000_000, 7);
  assert.equal(
    sequenceSignatures(target, 'evt_1', 1_700_000_000, 7),
    `${createTextSigner(newer)(text)} ${createTextSigner(older)(text)}`,
  );
});

test('a signer rejects an invalid secret', () => {
  assert.throws(() => createTextSigner('whsec_short'), /the secret must/);
  assert.throws(() => createSigner('whsk_short'), /the secret must/);
});
