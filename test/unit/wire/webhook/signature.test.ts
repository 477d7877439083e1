import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes, verify } from 'node:crypto';
import { test } from 'node:test';
import { Webhook as StandardWebhook } from 'standardwebhooks';
import { Webhook as SvixWebhook } from 'svix';
import { prepareTarget, signatures } from '#src/delivery/attempt/endpoint-target.ts';
import { createSigner, newSecret, secretFault } from '#wire/webhook/signature.ts';

const BODY = Buffer.from(
  '{"type":"order.created","data":{"total":1.0,"note":"ä\\u00e4 \u{1f600}"}}',
);
const ID = 'evt_2Kx';
const now = (): number => Math.floor(Date.now() / 1000);

interface Verifier {
  verify(payload: string | Buffer, headers: Record<string, string>): unknown;
}
const verifiers: Record<string, (secret: string) => Verifier> = {
  standardwebhooks: (secret) => new StandardWebhook(secret),
  svix: (secret) => new SvixWebhook(secret),
};

function headersOf(timestamp: number, signature: string): Record<string, string> {
  return {
    'webhook-id': ID,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': signature,
  };
}

function target(secrets: { secret: string; notAfterMs?: number }[]) {
  return prepareTarget(
    'acme',
    {
      id: 'ep_1',
      url: 'https://example.com/hook',
      state: 'active',
      format: 'standard',
      headers: {},
      secrets: secrets.map(({ secret, notAfterMs }) => ({
        sealed: secret,
        ...(notAfterMs === undefined ? {} : { notAfterMs }),
      })),
    },
    {
      openSecret: (sealed) => sealed,
      isAllowedPrivate: () => false,
      isProbeReceiver: () => false,
    },
  );
}

for (const [name, verifier] of Object.entries(verifiers)) {
  test(`${name} accepts a v1 signature, and rejects another body, id, time or secret`, () => {
    const secret = newSecret();
    const timestamp = now();
    const signature = createSigner(secret)(ID, timestamp, BODY);
    const headers = headersOf(timestamp, signature);
    assert.deepEqual(verifier(secret).verify(BODY, headers), JSON.parse(BODY.toString()));
    const refused: [string, string | Buffer, Record<string, string>][] = [
      [secret, Buffer.concat([BODY, Buffer.from(' ')]), headers],
      [secret, BODY, { ...headers, 'webhook-id': 'evt_other' }],
      [secret, BODY, { ...headers, 'webhook-timestamp': String(timestamp - 1) }],
      [newSecret(), BODY, headers],
    ];
    for (const [key, body, changed] of refused) {
      assert.throws(() => verifier(key).verify(body, changed));
    }
  });

  test(`${name} accepts a webhook signed with two secrets by either of them`, () => {
    const [newer, older] = [newSecret(), newSecret()];
    const timestamp = now();
    const both = target([{ secret: newer }, { secret: older, notAfterMs: Date.now() + 60_000 }]);
    const value = signatures(both, ID, timestamp, BODY);
    for (const secret of [newer, older]) {
      verifier(secret).verify(BODY, headersOf(timestamp, value));
    }
    assert.throws(() => verifier(newSecret()).verify(BODY, headersOf(timestamp, value)));
  });

  test(`${name} accepts a v1 signature with a v1a one`, () => {
    const secret = newSecret();
    const timestamp = now();
    const mixed = target([{ secret: newEd25519Secret().secret }, { secret }]);
    const value = signatures(mixed, ID, timestamp, BODY);
    assert.match(value, /^v1a,\S+ v1,\S+$/);
    verifier(secret).verify(BODY, headersOf(timestamp, value));
  });
}

test('a secret signs until its end, and no longer', () => {
  const [newer, older] = [newSecret(), newSecret()];
  const rotated = target([{ secret: newer }, { secret: older, notAfterMs: 1_700_000_000_000 }]);
  assert.equal(signatures(rotated, ID, 1_700_000_000, BODY).split(' ').length, 2);
  assert.equal(
    signatures(rotated, ID, 1_700_000_001, BODY),
    createSigner(newer)(ID, 1_700_000_001, BODY),
  );
});

function newEd25519Secret() {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const seed = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32);
  const point = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
  return { secret: `whsk_${seed.toString('base64')}`, seed, point, publicKey };
}

test('a v1a signature is verified by its public key and by no other', () => {
  const { secret, seed, point, publicKey } = newEd25519Secret();
  const timestamp = 1_700_000_000;
  const content = Buffer.concat([Buffer.from(`${ID}.${timestamp}.`), BODY]);
  // A private key of 64 bytes is the seed and the public key after it.
  for (const key of [secret, `whsk_${Buffer.concat([seed, point]).toString('base64')}`]) {
    const signature = createSigner(key)(ID, timestamp, BODY);
    assert.match(signature, /^v1a,[A-Za-z0-9+/]{86}==$/);
    const bytes = Buffer.from(signature.slice('v1a,'.length), 'base64');
    assert.ok(verify(null, content, publicKey, bytes));
    assert.ok(!verify(null, content, newEd25519Secret().publicKey, bytes));
    assert.ok(!verify(null, Buffer.concat([content, BODY]), publicKey, bytes));
  }
});

test('a v1 signature equals that of the worked example of Standard Webhooks', () => {
  const signer = createSigner('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw');
  const body = Buffer.from('{"test": 2432232314}');
  assert.equal(
    signer('msg_p5jXN8AQM9LWM0D4loKWxJek', 1_614_265_330, body),
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  );
});

test('new secrets are valid and all differ', () => {
  assert.equal(secretFault(newSecret()), undefined);
  assert.notEqual(newSecret(), newSecret());
  assert.match(newSecret(), /^whsec_[A-Za-z0-9+/]{43}=$/);
});

const base64 = (bytes: number): string => randomBytes(bytes).toString('base64');
const faulty: [string, string, RegExp][] = [
  ['no prefix', base64(32), /whsec_/],
  ['another prefix', `whsek_${base64(32)}`, /whsec_/],
  ['not base64', `whsec_${'*'.repeat(40)}`, /base64/],
  ['base64url', `whsec_${'-'.repeat(40)}`, /base64/],
  ['too short', `whsec_${base64(23)}`, /24 to 64 bytes/],
  ['too long', `whsec_${base64(65)}`, /24 to 64 bytes/],
  ['a key of another size', `whsk_${base64(33)}`, /32 or 64 bytes/],
  ['nothing', '', /whsec_/],
];
for (const [what, secret, message] of faulty) {
  test(`rejects a secret with ${what} without repeating it in the message`, () => {
    assert.match(String(secretFault(secret)), message);
    assert.throws(
      () => createSigner(secret),
      (error: Error) => secret === '' || !error.message.includes(secret),
    );
  });
}
