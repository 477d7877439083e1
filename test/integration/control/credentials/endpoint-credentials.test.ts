import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { before, test } from 'node:test';
import { makeCertificate } from '../../../kit/network/certificates.ts';
import type { EndpointSnapshot } from '#wire/config-snapshot.ts';
import { openCredentials } from '#wire/sealed-credentials.ts';
import {
  type ControlPlane,
  endpointInForce,
  LOOPBACK_EGRESS,
  startControlPlane,
} from '../control-plane.ts';

let plane: ControlPlane;
const url = 'https://example.com/hooks';
const path = '/v1/tenants/acme/endpoints';
const SECRET = 'very-secret-0123456789';
const open = (sealed: string, context: string) => plane.secretBox.open(sealed, context);

before(async (t) => {
  plane = await startControlPlane(t as never, {
    settings: { egress: LOOPBACK_EGRESS },
  });
  await plane.call('PUT', '/v1/tenants/acme', {});
});

const create = (fields: object) =>
  plane.call('POST', path, { url, allow_duplicate_url: true, ...fields });

const inForce = (id: string, fits: (endpoint: EndpointSnapshot) => boolean) =>
  endpointInForce(plane.kv, 'acme', id, fits);

/** Asserts that neither MongoDB nor the bucket contains the secret. */
async function assertNotStored(text: string): Promise<void> {
  const documents = await plane.db.collection('endpoints').find().toArray();
  assert.ok(!JSON.stringify(documents).includes(text), 'MongoDB holds it');
  const entry = await plane.kv.get('tenant.acme');
  assert.ok(!entry?.string().includes(text), 'CONFIG holds it');
}

const shown: [type: string, given: object, answer: object][] = [
  ['basic', { username: 'me', password: SECRET }, { username: 'me' }],
  ['bearer', { token: SECRET }, {}],
  [
    'oauth2',
    {
      token_url: 'https://auth.example.com/t',
      client_id: 'c',
      client_secret: SECRET,
      scope: 'a b',
    },
    {
      token_url: 'https://auth.example.com/t',
      client_id: 'c',
      scope: 'a b',
      auth_method: 'client_secret_basic',
    },
  ],
];

for (const [type, given, answer] of shown) {
  test(`${type}: is stored sealed, shown without its secret, and removed by null`, async () => {
    const made = await create({ credentials: { type, ...given } });
    assert.equal(made.status, 201, made.text);
    const item = `${path}/${made.body.id}`;
    const list = await plane.call('GET', `${path}?limit=250`);
    for (const text of [made.text, (await plane.call('GET', item)).text, list.text]) {
      assert.ok(!text.includes(SECRET));
    }
    assert.deepEqual((await plane.call('GET', item)).body.credentials, { type, ...answer });
    const known = await inForce(made.body.id, (one) => one.sealedCredentials !== undefined);
    const opened = openCredentials(open, 'credentials', known.id, known.sealedCredentials ?? '');
    assert.equal(opened.type, type);
    assert.ok(JSON.stringify(opened).includes(SECRET));
    await assertNotStored(SECRET);
    // An unnamed field keeps its value; null removes it.
    const other = await plane.call('PATCH', item, { description: 'x' });
    assert.deepEqual(other.body.credentials, { type, ...answer });
    const without = await plane.call('PATCH', item, { credentials: null });
    assert.equal(without.body.credentials, null, without.text);
    await inForce(made.body.id, (one) => one.sealedCredentials === undefined);
  });
}

test('header fields are sealed, shown by their names, and replaced as a whole', async () => {
  const made = await create({ headers: { 'X-Api-Key': SECRET, 'x-team': 'a' } });
  assert.deepEqual(made.body.header_names, ['x-api-key', 'x-team']);
  assert.ok(!made.text.includes(SECRET));
  const known = await inForce(made.body.id, (one) => one.sealedHeaders !== undefined);
  assert.deepEqual(known.headers, {});
  assert.deepEqual(openCredentials(open, 'headers', known.id, known.sealedHeaders ?? ''), {
    'x-api-key': SECRET,
    'x-team': 'a',
  });
  await assertNotStored(SECRET);
  const item = `${path}/${made.body.id}`;
  const changed = await plane.call('PATCH', item, { headers: { 'x-b': '1' } });
  assert.deepEqual(changed.body.header_names, ['x-b']);
  assert.deepEqual((await plane.call('PATCH', item, { headers: {} })).body.header_names, []);
  await inForce(made.body.id, (one) => one.sealedHeaders === undefined);
});

test('header fields that were stored in plain text work, and are sealed at the next start', async () => {
  const made = await create({});
  const { id } = made.body;
  const endpoints = plane.db.collection<{ _id: string }>('endpoints');
  await endpoints.updateOne(
    { _id: id },
    { $set: { headers: { 'x-old': SECRET } }, $unset: { header_names: '', sealed_headers: '' } },
  );
  const item = `${path}/${id}`;
  await plane.call('PATCH', item, { description: 'x' });
  const before = await inForce(id, (one) => one.headers['x-old'] === SECRET);
  assert.equal(before.sealedHeaders, undefined);
  assert.deepEqual((await plane.call('GET', item)).body.header_names, ['x-old']);
  await plane.startAnother().service.start();
  const after = await inForce(id, (one) => one.sealedHeaders !== undefined);
  assert.deepEqual(after.headers, {});
  assert.deepEqual(openCredentials(open, 'headers', id, after.sealedHeaders ?? ''), {
    'x-old': SECRET,
  });
  await assertNotStored(SECRET);
  assert.deepEqual((await plane.call('GET', item)).body.header_names, ['x-old']);
});

test('the facts of a client certificate are shown, and its key is sealed', async () => {
  const issuer = makeCertificate({ commonName: 'issuer' });
  const { cert, key } = makeCertificate({ commonName: 'acme', issuer });
  const given = { cert: cert + issuer.cert, key, ca: issuer.cert };
  const made = await create({ client_certificate: given });
  assert.equal(made.status, 201, made.text);
  const facts = made.body.client_certificate;
  assert.deepEqual(facts, {
    subject: 'CN=acme',
    issuer: 'CN=issuer',
    fingerprint_sha256: new X509Certificate(cert).fingerprint256.replaceAll(':', '').toLowerCase(),
    not_before: '2025-01-01T00:00:00.000Z',
    not_after: '2049-12-31T23:59:59.000Z',
    has_ca: true,
  });
  const known = await inForce(made.body.id, (one) => one.sealedCertificate !== undefined);
  const sealed = known.sealedCertificate ?? '';
  const opened = openCredentials(open, 'client_certificate', known.id, sealed);
  assert.deepEqual(opened, given);
  await assertNotStored('PRIVATE KEY');
  // Bound to its endpoint and its place.
  assert.throws(() => openCredentials(open, 'client_certificate', 'ep_other', sealed));
  assert.throws(() => openCredentials(open, 'credentials', known.id, sealed));
  const item = `${path}/${made.body.id}`;
  assert.deepEqual((await plane.call('GET', item)).body.client_certificate, facts);
  const without = await plane.call('PATCH', item, { client_certificate: null });
  assert.equal(without.body.client_certificate, null);
  await inForce(made.body.id, (one) => one.sealedCertificate === undefined);
});
