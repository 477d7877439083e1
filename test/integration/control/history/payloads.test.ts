/** Large payloads read by link and with their event, and who may ask for links (IN-12, SE-1). */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { before, test } from 'node:test';
import { eventKey, historyOf } from '#infra/mongo/documents.ts';
import { keyHash } from '#infra/http/server/authenticate.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import type { TenantSnapshot } from '#wire/config-snapshot.ts';
import { type PayloadRef, encodeEventFrame } from '#wire/frames/event-frame.ts';
import { Binary } from 'mongodb';
import {
  type Answer,
  type ControlPlane,
  configValue,
  startControlPlane,
} from '../control-plane.ts';

const BASE = 'https://p.example';
let plane: ControlPlane;
before(async (t) => {
  plane = await startControlPlane(t as never, { settings: { publicUrl: BASE } });
  for (const tenant of ['acme', 'other']) await plane.call('PUT', `/v1/tenants/${tenant}`, {});
  // A link of a tenant that the process does not know answers 410.
  await waitUntil(() => plane.config.tenant('acme') !== undefined);
});

let made = 0;
async function put(bytes: Buffer, contentType: string): Promise<PayloadRef> {
  const key = `acme/pay_${String(made++).padStart(26, '0')}`;
  await plane.payloads.put(key, bytes, contentType);
  return { key, size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}

/** Returns the path of a link that is valid for this time. */
function linkTo(key: string, forMs = 60_000): string {
  return plane.payloadLinks.make(BASE, key, Date.now() + forMs).url.slice(BASE.length);
}

const open = (path: string): Promise<Answer> => plane.call('GET', path, undefined, { key: '' });

async function storeEvent(id: string, type: string, payload?: PayloadRef): Promise<void> {
  const { events } = historyOf(plane.db);
  await events.insertOne({
    _id: eventKey('acme', id),
    tenant: 'acme',
    id,
    seq: 1,
    type,
    source: '/s',
    kind: 'json',
    data: payload === undefined ? '1' : '',
    accepted_at: new Date(),
    ...(payload === undefined ? {} : { payload }),
  });
}

test('a link returns the bytes to any caller, with a header for browsers to save them', async () => {
  const html = Buffer.from('<script>alert(1)</script>');
  const ref = await put(html, 'text/html');
  const answer = await open(linkTo(ref.key));
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.text, html.toString());
  assert.equal(answer.headers['content-type'], 'text/html');
  assert.equal(answer.headers['content-length'], String(html.length));
  assert.equal(answer.headers['content-disposition'], 'attachment');
  assert.equal(answer.headers['x-content-type-options'], 'nosniff');
  assert.match(String(answer.headers['content-security-policy']), /default-src 'none'/);
  assert.equal(answer.headers['cache-control'], 'no-store');
});

test('rejects a changed link, an expired link, and the link of a removed payload', async () => {
  const ref = await put(Buffer.from('1'), 'application/json');
  const refused = async (path: string, status: number, code: string) => {
    const answer = await open(path);
    assert.equal(answer.status, status, `${path} ${answer.text}`);
    assert.equal(answer.body.code, code, path);
  };
  const link = linkTo(ref.key);
  const invalid = 'POSTHORN_PAYLOAD_LINK_INVALID';
  await refused(link.replace('/acme/', '/other/'), 403, invalid);
  await refused(link.replace('pay_0', 'pay_1'), 403, invalid);
  await refused(link.replace('expires=', 'expires=9'), 403, invalid);
  await refused(link.slice(0, -4), 403, invalid);
  await refused(
    linkTo(ref.key, -1000).replace(/signature=.{43}/, `signature=${'A'.repeat(43)}`),
    403,
    invalid,
  );
  await refused(linkTo(ref.key, -1000), 410, 'POSTHORN_PAYLOAD_GONE');
  await refused(linkTo(`acme/pay_${'z'.repeat(26)}`), 410, 'POSTHORN_PAYLOAD_GONE');
  const bad = 'POSTHORN_REQUEST_INVALID';
  await refused(link.replace(/&signature=.*$/, ''), 400, bad);
  await refused(link.replace(/expires=\d+&/, ''), 400, bad);
  await refused(link.replace(/expires=\d+/, 'expires=1e9'), 400, bad);
  await refused(link.replace('pay_', 'pay-'), 400, bad);
  await refused(`${link}&x=1`, 400, bad);
});

test('a payload is read with a key through its event, and the event shows its size', async () => {
  const bytes = randomBytes(2_000_000);
  const ref = await put(bytes, 'image/png');
  await storeEvent('large', 'a.b', ref);
  await storeEvent('small', 'a.b');
  const event = await plane.call('GET', '/v1/tenants/acme/events/large');
  assert.deepEqual(event.body.payload, { size: ref.size, sha256: ref.sha256 });
  assert.ok(!('data' in event.body));
  const listed = await plane.call('GET', '/v1/tenants/acme/events');
  assert.deepEqual(
    listed.body.data.map(({ id, payload }: { id: string; payload: object | null }) => [
      id,
      payload === null,
    ]),
    [
      ['small', true],
      ['large', false],
    ],
  );
  const path = '/v1/tenants/acme/events/large/payload';
  const read = await plane.app.inject({
    url: path,
    headers: { authorization: 'Bearer phk_p_bootstrap-0123456789' },
  });
  assert.equal(read.statusCode, 200);
  assert.ok(read.rawPayload.equals(bytes));
  assert.equal(read.headers['content-type'], 'image/png');
  const small = await plane.call('GET', '/v1/tenants/acme/events/small/payload');
  assert.equal(small.body.code, 'POSTHORN_RESOURCE_UNKNOWN');
  const none = await plane.call('GET', '/v1/tenants/acme/events/none/payload');
  assert.equal(none.status, 404);
  assert.equal((await open(path)).status, 401);
  const foreign = (await plane.call('POST', '/v1/keys', { scope: 'tenant', tenant_id: 'other' }))
    .body;
  await waitUntil(() => plane.config.apiKey(keyHash(foreign.key)) !== undefined);
  assert.equal((await plane.call('GET', path, undefined, { key: foreign.key })).status, 403);
});

test('rejects reading a sensitive payload with 403 and a removed one with 410', async () => {
  const ref = await put(Buffer.from('"secret"'), 'application/json');
  await storeEvent('hidden', 'secret.kept', ref);
  await plane.call('PUT', '/v1/event-types/secret.kept', { sensitive: true });
  await waitUntil(() => plane.config.eventType('secret.kept') !== undefined);
  const hidden = await plane.call('GET', '/v1/tenants/acme/events/hidden/payload');
  assert.equal(hidden.status, 403);
  assert.equal(hidden.body.code, 'POSTHORN_DATA_HIDDEN');
  await storeEvent('gone', 'a.b', { ...ref, key: 'acme/pay_gone' });
  const gone = await plane.call('GET', '/v1/tenants/acme/events/gone/payload');
  assert.equal(gone.status, 410);
  assert.equal(gone.body.code, 'POSTHORN_PAYLOAD_GONE');
});

test('a dead letter of a large event shows its event', async () => {
  const payload = { key: 'acme/pay_x', size: 7, sha256: 'aa' };
  const head = {
    id: 'large',
    type: 'a.b',
    source: '/s',
    time: '2026-01-31T12:00:00Z',
    kind: 'json',
    acceptedMs: 1,
    correlationId: 'req_1',
    payload,
  } as const;
  await historyOf(plane.db).deadLetters.insertOne({
    _id: 'dlv_00000000000000000000000001',
    tenant: 'acme',
    event: 'large',
    endpoint: 'ep_1',
    type: 'a.b',
    at: new Date(),
    accepted_at: new Date(1),
    reason: 'payload_missing',
    cause: 'payload_missing',
    attempt_count: 0,
    last_attempt: null,
    seq: 1,
    frame: new Binary(encodeEventFrame(head, '')),
    replayed_at: null,
    replay: null,
    discarded_at: null,
  });
  const path = '/v1/tenants/acme/dead-letters/dlv_00000000000000000000000001';
  const letter = await plane.call('GET', path);
  assert.equal(letter.status, 200, letter.text);
  assert.deepEqual(letter.body.event.payload, { size: 7, sha256: 'aa' });
  assert.ok(!('data' in letter.body.event));
});

test('an endpoint can request links, within bounds', async () => {
  const path = '/v1/tenants/acme/endpoints';
  const url = 'https://example.com/hooks';
  const plain = await plane.call('POST', path, { url });
  assert.equal(plain.body.payload, 'inline');
  assert.equal(plain.body.payload_inline_max_bytes, null);
  const item = `${path}/${plain.body.id}`;
  const change = { payload: 'url', payload_inline_max_bytes: 1_000_000 };
  const changed = await plane.call('PATCH', item, change);
  assert.equal(changed.status, 200, changed.text);
  const inForce = (mode: string | undefined, most: number | undefined) =>
    configValue<TenantSnapshot>(
      plane.kv,
      'tenant.acme',
      ({ endpoints: [one] }) => one?.payload === mode && one?.payloadInlineMaxBytes === most,
    );
  await inForce('url', 1_000_000);
  await plane.call('PATCH', item, { payload: 'inline', payload_inline_max_bytes: null });
  await inForce(undefined, undefined);
  for (const bytes of [0, 1023, -1, 33_554_433, 1.5, '2048']) {
    const refused = await plane.call('PATCH', item, { payload_inline_max_bytes: bytes });
    assert.equal(refused.status, 400, refused.text);
    assert.equal(refused.body.errors[0].pointer, '/payload_inline_max_bytes');
  }
  const unknown = await plane.call('PATCH', item, { payload: 'link' });
  assert.equal(unknown.body.errors[0].pointer, '/payload');
});

test('rejects links when there is no public URL', async (t) => {
  const bare = await startControlPlane(t);
  await bare.call('PUT', '/v1/tenants/acme', {});
  const path = '/v1/tenants/acme/endpoints';
  const url = 'https://example.com/hooks';
  const body = { url, payload: 'url', payload_inline_max_bytes: 4096 };
  const refused = await bare.call('POST', path, body);
  assert.equal(refused.status, 400);
  assert.deepEqual(
    refused.body.errors.map(({ pointer }: { pointer: string }) => pointer),
    ['/payload', '/payload_inline_max_bytes'],
  );
  assert.match(refused.body.detail, /POSTHORN_PUBLIC_URL/);
  const made = await bare.call('POST', path, { url, payload: 'inline' });
  assert.equal(made.status, 201);
  const patched = await bare.call('PATCH', `${path}/${made.body.id}`, { payload: 'url' });
  assert.equal(patched.status, 400);
});
