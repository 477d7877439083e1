import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import { before, test } from 'node:test';
import { makeCertificate } from '../../../kit/network/certificates.ts';
import { type ControlPlane, LOOPBACK_EGRESS, startControlPlane } from '../control-plane.ts';

let plane: ControlPlane;
const url = 'https://example.com/hooks';
const path = '/v1/tenants/acme/endpoints';
const SECRET = 'very-secret-0123456789';

before(async (t) => {
  plane = await startControlPlane(t as never, {
    settings: { egress: LOOPBACK_EGRESS },
  });
  await plane.call('PUT', '/v1/tenants/acme', {});
});

const create = (fields: object) =>
  plane.call('POST', path, { url, allow_duplicate_url: true, ...fields });

const one = makeCertificate();
const another = makeCertificate();
const expired = makeCertificate({ notAfter: '250102000000Z' });
const early = makeCertificate({ notBefore: '480101000000Z' });
const encryptedKey = createPrivateKey(one.key)
  .export({ format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'x' })
  .toString();
const basic = { type: 'basic', username: 'me', password: SECRET };
const oauth2 = {
  type: 'oauth2',
  token_url: 'https://auth.example.com/t',
  client_id: 'c',
  client_secret: SECRET,
};

const bad: [what: string, fields: object, pointer: string][] = [
  ['no type', { credentials: { username: 'me' } }, '/credentials/type'],
  ['an unknown type', { credentials: { type: 'digest' } }, '/credentials/type'],
  ['a text', { credentials: SECRET }, '/credentials'],
  ['an unknown field', { credentials: { ...basic, realm: 'x' } }, '/credentials/realm'],
  ["another type's field", { credentials: { ...basic, token: SECRET } }, '/credentials/token'],
  ['no password', { credentials: { type: 'basic', username: 'me' } }, '/credentials/password'],
  ['a colon', { credentials: { ...basic, username: 'a:b' } }, '/credentials/username'],
  ['a line break', { credentials: { ...basic, username: 'a\nb' } }, '/credentials/username'],
  ['a NUL', { credentials: { ...basic, password: 'a\0b' } }, '/credentials/password'],
  ['nothing', { credentials: { ...basic, username: '', password: '' } }, '/credentials/username'],
  [
    'a long name',
    { credentials: { ...basic, username: 'x'.repeat(256) } },
    '/credentials/username',
  ],
  ['a number', { credentials: { ...basic, password: 1 } }, '/credentials/password'],
  ['no token', { credentials: { type: 'bearer' } }, '/credentials/token'],
  ['an empty token', { credentials: { type: 'bearer', token: '' } }, '/credentials/token'],
  ['a token of two', { credentials: { type: 'bearer', token: 'a b' } }, '/credentials/token'],
  ['a token with ä', { credentials: { type: 'bearer', token: 'ä' } }, '/credentials/token'],
  [
    'a long token',
    { credentials: { type: 'bearer', token: 'x'.repeat(4097) } },
    '/credentials/token',
  ],
  ['no URL', { credentials: { ...oauth2, token_url: undefined } }, '/credentials/token_url'],
  ['no URL at all', { credentials: { ...oauth2, token_url: 'x' } }, '/credentials/token_url'],
  ['http', { credentials: { ...oauth2, token_url: 'http://a.test/' } }, '/credentials/token_url'],
  [
    'a private address',
    { credentials: { ...oauth2, token_url: 'https://10.0.0.1/' } },
    '/credentials/token_url',
  ],
  [
    'metadata',
    { credentials: { ...oauth2, token_url: 'https://169.254.169.254/' } },
    '/credentials/token_url',
  ],
  [
    'a fragment',
    { credentials: { ...oauth2, token_url: 'https://a.test/#x' } },
    '/credentials/token_url',
  ],
  [
    'a name in the URL',
    { credentials: { ...oauth2, token_url: 'https://a:b@a.test/' } },
    '/credentials/token_url',
  ],
  ['no secret', { credentials: { ...oauth2, client_secret: '' } }, '/credentials/client_secret'],
  ['a wide client', { credentials: { ...oauth2, client_id: 'ä' } }, '/credentials/client_id'],
  ['two spaces', { credentials: { ...oauth2, scope: 'a  b' } }, '/credentials/scope'],
  ['a quote', { credentials: { ...oauth2, scope: 'a"b' } }, '/credentials/scope'],
  ['a method', { credentials: { ...oauth2, auth_method: 'none' } }, '/credentials/auth_method'],
  ['an audience', { credentials: { ...oauth2, audience: 'a\r\nb' } }, '/credentials/audience'],
  [
    'a header in addition to it',
    { credentials: basic, headers: { Authorization: 'x' } },
    '/headers/Authorization',
  ],
  ['no key', { client_certificate: { cert: one.cert } }, '/client_certificate/key'],
  [
    'a key of another',
    { client_certificate: { cert: one.cert, key: another.key } },
    '/client_certificate/key',
  ],
  [
    'an encrypted key',
    { client_certificate: { cert: one.cert, key: encryptedKey } },
    '/client_certificate/key',
  ],
  [
    'a public key',
    { client_certificate: { cert: one.cert, key: one.cert } },
    '/client_certificate/key',
  ],
  [
    'garbage for a key',
    { client_certificate: { cert: one.cert, key: 'x' } },
    '/client_certificate/key',
  ],
  [
    'garbage for a certificate',
    { client_certificate: { cert: 'x', key: one.key } },
    '/client_certificate/cert',
  ],
  [
    'a broken certificate',
    {
      client_certificate: {
        cert: one.cert.replace('MII', 'AAA').replace('MI', 'AA'),
        key: one.key,
      },
    },
    '/client_certificate/cert',
  ],
  [
    'a key among certificates',
    { client_certificate: { cert: one.cert + one.key, key: one.key } },
    '/client_certificate/cert',
  ],
  [
    'an expired certificate',
    { client_certificate: { cert: expired.cert, key: expired.key } },
    '/client_certificate/cert',
  ],
  [
    'one that is not valid yet',
    { client_certificate: { cert: early.cert, key: early.key } },
    '/client_certificate/cert',
  ],
  [
    'eleven certificates',
    { client_certificate: { cert: one.cert.repeat(11), key: one.key } },
    '/client_certificate/cert',
  ],
  [
    'a long certificate',
    { client_certificate: { cert: 'x'.repeat(32 * 1024 + 1), key: one.key } },
    '/client_certificate/cert',
  ],
  [
    'garbage for a ca',
    { client_certificate: { cert: one.cert, key: one.key, ca: 'x' } },
    '/client_certificate/ca',
  ],
  [
    'an expired ca',
    { client_certificate: { cert: one.cert, key: one.key, ca: expired.cert } },
    '/client_certificate/ca',
  ],
  [
    'an unknown part',
    { client_certificate: { cert: one.cert, key: one.key, passphrase: 'x' } },
    '/client_certificate/passphrase',
  ],
  [
    'a certificate for http',
    { url: 'http://127.0.0.1:1/', client_certificate: { cert: one.cert, key: one.key } },
    '/client_certificate',
  ],
];

test('rejects unusable credentials with the field, without repeating a secret or storing anything', async () => {
  const { body } = await create({});
  const item = `${path}/${body.id}`;
  for (const [what, fields, pointer] of bad) {
    for (const answer of [await create(fields), await plane.call('PATCH', item, fields)]) {
      assert.equal(answer.status, 400, `${what}: ${answer.text}`);
      assert.equal(answer.body.code, 'POSTHORN_REQUEST_INVALID', what);
      assert.equal(answer.body.errors[0]?.pointer, pointer, `${what}: ${answer.text}`);
      assert.ok(!answer.text.includes(SECRET), what);
    }
  }
  const after = await plane.call('GET', item);
  assert.equal(after.body.revision, 1);
  assert.deepEqual([after.body.credentials, after.body.client_certificate], [null, null]);
});

test('rejects inconsistent credentials when a request sends only one of the two', async () => {
  const withHeader = await create({ headers: { authorization: 'x' } });
  const certificate = { cert: one.cert, key: one.key };
  const withBoth = await create({ credentials: basic, client_certificate: certificate });
  assert.equal(withBoth.status, 201, withBoth.text);
  const cases: [id: string, change: object, pointer: string][] = [
    [withHeader.body.id, { credentials: basic }, '/credentials'],
    [withBoth.body.id, { headers: { AUTHORIZATION: 'x' } }, '/headers/AUTHORIZATION'],
    [withBoth.body.id, { url: 'http://127.0.0.1:1/' }, '/url'],
  ];
  for (const [id, change, pointer] of cases) {
    const answer = await plane.call('PATCH', `${path}/${id}`, change);
    assert.equal(answer.status, 400, answer.text);
    assert.equal(answer.body.errors[0].pointer, pointer);
  }
  // A single change may replace one by the other.
  const swap = { credentials: basic, headers: {} };
  const swapped = await plane.call('PATCH', `${path}/${withHeader.body.id}`, swap);
  assert.equal(swapped.status, 200, swapped.text);
});

test('a token endpoint in a network that the operator allowed may use http', async () => {
  const token_url = 'http://127.0.0.1:9/token';
  const made = await create({ credentials: { ...oauth2, token_url } });
  assert.equal(made.status, 201, made.text);
  assert.equal(made.body.credentials.token_url, token_url);
});

test('rejects credentials of an unknown type with the allowed types', async () => {
  const types = 'must be one of: basic, bearer, oauth2';
  const cases: [credentials: unknown, errors: object[]][] = [
    [{ type: 'digest' }, [{ pointer: '/credentials/type', detail: types }]],
    [{ username: 'me' }, [{ pointer: '/credentials/type', detail: 'is required' }]],
    [SECRET, [{ pointer: '/credentials', detail: 'must be an object' }]],
    [
      { type: 'basic', username: 'me', token: SECRET },
      [
        { pointer: '/credentials/password', detail: 'is required' },
        { pointer: '/credentials/token', detail: 'unknown field' },
      ],
    ],
  ];
  for (const [credentials, errors] of cases) {
    const { status, body } = await create({ credentials });
    assert.equal(status, 400);
    assert.deepEqual(body.errors, errors);
  }
});

test('the OpenAPI document maps each type of credentials to its schema', async () => {
  const { schemas } = (await plane.call('GET', '/openapi.json')).body.components;
  const { discriminator, oneOf } = schemas.CredentialSettings;
  assert.deepEqual(Object.keys(discriminator.mapping), ['basic', 'bearer', 'oauth2']);
  assert.deepEqual(
    Object.values(discriminator.mapping),
    oneOf.map(({ $ref }: { $ref: string }) => $ref),
  );
  for (const [type, ref] of Object.entries<string>(discriminator.mapping)) {
    const schema = schemas[ref.replace('#/components/schemas/', '')];
    assert.equal(schema.properties.type.const, type);
    assert.equal(schema.additionalProperties, false);
  }
});
