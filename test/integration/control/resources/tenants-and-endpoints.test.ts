import assert from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import { before, test } from 'node:test';
import { createSigner, newSecret } from '#wire/webhook/signature.ts';
import type { TenantSnapshot } from '#wire/config-snapshot.ts';
import {
  type ControlPlane,
  configGone,
  configValue,
  LOOPBACK_EGRESS,
  startControlPlane,
} from '../control-plane.ts';

let plane: ControlPlane;
before(async (t) => {
  plane = await startControlPlane(t as never, {
    settings: { egress: LOOPBACK_EGRESS },
  });
});

const call = (...args: Parameters<ControlPlane['call']>) => plane.call(...args);
const newTenant = async (id: string): Promise<string> => {
  assert.equal((await call('PUT', `/v1/tenants/${id}`, {})).status, 201);
  return `/v1/tenants/${id}`;
};

test('a tenant is created, replaced, read, listed and deleted', async () => {
  const made = await call('PUT', '/v1/tenants/acme', { name: '$Acme', weight: 3 });
  assert.equal(made.status, 201, made.text);
  assert.equal(made.body.name, '$Acme');
  assert.equal(made.headers['etag'], '"1"');
  const replaced = await call('PUT', '/v1/tenants/acme', {
    name: '$Acme 2',
    event_type_policy: 'strict',
  });
  assert.equal(replaced.status, 200);
  assert.equal(replaced.body.weight, 1);
  assert.equal(replaced.body.name, '$Acme 2');
  assert.deepEqual((await call('GET', '/v1/tenants/acme')).body, replaced.body);
  const listed = await call('GET', '/v1/tenants');
  assert.ok(listed.body.data.some((tenant: { id: string }) => tenant.id === 'acme'));
  const snapshot = await configValue<TenantSnapshot>(plane.kv, 'tenant.acme');
  assert.equal(snapshot.eventTypePolicy, 'strict');
  assert.equal((await call('DELETE', '/v1/tenants/acme')).status, 204);
  assert.equal((await call('GET', '/v1/tenants/acme')).body.code, 'POSTHORN_TENANT_UNKNOWN');
  await configGone(plane.kv, 'tenant.acme');
});

test('a tenant that is created again continues above its old revision', async () => {
  await newTenant('phoenix');
  for (let i = 0; i < 5; i++) await call('PUT', '/v1/tenants/phoenix', { weight: i + 1 });
  const old = await configValue<TenantSnapshot>(plane.kv, 'tenant.phoenix', (s) => s.weight === 5);
  await call('DELETE', '/v1/tenants/phoenix');
  await newTenant('phoenix');
  const again = await configValue<TenantSnapshot>(plane.kv, 'tenant.phoenix');
  assert.ok(again.rev > old.rev);
});

test('an endpoint shows its secret once, and gets every event if it names no types', async () => {
  const tenant = await newTenant('once');
  const made = await call('POST', `${tenant}/endpoints`, {
    url: 'https://example.com/hooks',
    headers: { 'X-Team': 'a' },
  });
  assert.equal(made.status, 201, made.text);
  assert.match(made.body.secret, /^whsec_/);
  assert.deepEqual(made.body.header_names, ['x-team']);
  const read = await call('GET', `${tenant}/endpoints/${made.body.id}`);
  const list = await call('GET', `${tenant}/endpoints`);
  for (const { text } of [read, list]) assert.doesNotMatch(text, /whsec_|"secret"|sealed/);
  const snapshot = await configValue<TenantSnapshot>(plane.kv, 'tenant.once', (s) =>
    s.endpoints.some((endpoint) => endpoint.id === made.body.id),
  );
  const sealed = snapshot.endpoints[0]?.secrets[0]?.sealed as string;
  assert.ok(!sealed.includes('whsec_'));
  assert.equal(plane.secretBox.open(sealed, made.body.id), made.body.secret);
  assert.deepEqual(snapshot.subscriptions, [
    { id: made.body.subscription_id, endpointId: made.body.id, eventTypes: ['*'] },
  ]);
});

test('event_types and filter create one subscription, and an empty list none', async () => {
  const tenant = await newTenant('subs');
  const filter = { 'data.amount': { $gt: 100 } };
  const one = await call('POST', `${tenant}/endpoints`, {
    url: 'https://example.com/1',
    event_types: ['order.*'],
    filter,
  });
  const subscription = await call('GET', `${tenant}/subscriptions/${one.body.subscription_id}`);
  assert.deepEqual(subscription.body.event_types, ['order.*']);
  assert.deepEqual(subscription.body.filter, filter);
  const none = await call('POST', `${tenant}/endpoints`, {
    url: 'https://example.com/2',
    event_types: [],
  });
  assert.equal(none.body.subscription_id, null);
  assert.equal((await call('GET', `${tenant}/subscriptions`)).body.data.length, 1);
  assert.equal((await call('DELETE', `${tenant}/endpoints/${one.body.id}`)).status, 204);
  assert.equal((await call('GET', `${tenant}/subscriptions`)).body.data.length, 0);
});

test('a rejected endpoint leaves nothing behind', async () => {
  const tenant = await newTenant('bad');
  const url = 'https://example.com/';
  const cases: [object, string, string][] = [
    [{}, 'POSTHORN_REQUEST_INVALID', '/url'],
    [{ url, colour: 1 }, 'POSTHORN_REQUEST_INVALID', '/colour'],
    [{ url, event_types: ['x'.repeat(200)] }, 'POSTHORN_REQUEST_INVALID', '/event_types/0'],
    [{ url, filter: { data: { $where: 'x' } } }, 'POSTHORN_FILTER_INVALID', '/filter/data/$where'],
    [{ url, secret: 'whsec_dG9vc2hvcnQ=' }, 'POSTHORN_REQUEST_INVALID', '/secret'],
    [{ url, headers: { Host: 'x' } }, 'POSTHORN_REQUEST_INVALID', '/headers/Host'],
    [{ url: 'ftp://example.com' }, 'POSTHORN_ENDPOINT_URL_FORBIDDEN', '/url'],
    [{ url: 'http://example.com' }, 'POSTHORN_ENDPOINT_URL_FORBIDDEN', '/url'],
    [{ url: 'https://10.0.0.1/' }, 'POSTHORN_ENDPOINT_URL_FORBIDDEN', '/url'],
  ];
  for (const [body, code, pointer] of cases) {
    const answer = await call('POST', `${tenant}/endpoints`, body);
    assert.equal(answer.status, 400, answer.text);
    assert.equal(answer.body.code, code);
    assert.equal(answer.body.errors[0].pointer, pointer);
  }
  assert.deepEqual((await call('GET', `${tenant}/endpoints`)).body, {
    data: [],
    next_cursor: null,
  });
});

test('rejects a URL that another endpoint has in any spelling, unless duplicates are allowed', async () => {
  const tenant = await newTenant('twice');
  const post = (body: object) => call('POST', `${tenant}/endpoints`, body);
  assert.equal((await post({ url: 'https://example.com/a' })).status, 201);
  const again = await post({ url: 'HTTPS://EXAMPLE.com:443/b/../a' });
  assert.equal(again.status, 409);
  assert.equal(again.body.code, 'POSTHORN_ENDPOINT_URL_DUPLICATE');
  const allowed = await post({ url: 'https://example.com/a', allow_duplicate_url: true });
  assert.equal(allowed.status, 201);
  const other = await post({ url: 'https://example.com/other' });
  const moved = await call('PATCH', `${tenant}/endpoints/${other.body.id}`, {
    url: 'https://example.com/a',
  });
  assert.equal(moved.status, 409);
  const inOtherTenant = await newTenant('twice-2');
  assert.equal(
    (await call('POST', `${inOtherTenant}/endpoints`, { url: 'https://example.com/a' })).status,
    201,
  );
});

/** Pairs of spellings of one URL. */
const spellings = [
  ['https://example.com/host', 'https://EXAMPLE.Com/host'],
  ['https://example.com/port', 'https://example.com:443/port'],
  ['https://example.com/dot', 'https://example.com./dot'],
  ['https://example.com/a/path', 'https://example.com/b/../a/./path'],
  ['https://example.com/%C3%A9', 'https://example.com/é'],
  ['https://bücher.example/', 'https://xn--bcher-kva.example'],
  ['https://93.184.216.34/', 'https://0x5db8d822/'],
] as const;

test('two spellings of one URL are duplicates, also when both are created concurrently', async () => {
  const tenant = await newTenant('spellings');
  const post = (url: string) => call('POST', `${tenant}/endpoints`, { url });
  for (const pair of spellings) {
    const answers = await Promise.all(pair.map(post));
    const statuses = answers.map(({ status }) => status).toSorted((a, b) => a - b);
    assert.deepEqual(statuses, [201, 409], `${pair.join(' ')}: ${answers[1]?.text}`);
  }
  const listed = (await call('GET', `${tenant}/endpoints`)).body.data as { url: string }[];
  assert.equal(new Set(listed.map(({ url }) => url)).size, spellings.length);
  assert.equal(listed.length, spellings.length);
});

test('of concurrent requests with the same URL, one succeeds', async () => {
  const tenant = await newTenant('race');
  const answers = await Promise.all(
    Array.from({ length: 12 }, () =>
      call('POST', `${tenant}/endpoints`, { url: 'https://e.com/' }),
    ),
  );
  const statuses = answers.map((answer) => answer.status).toSorted((a, b) => a - b);
  assert.deepEqual(statuses, [201, ...Array.from({ length: 11 }, () => 409)]);
});

test('all concurrent changes of one tenant take effect', async () => {
  const tenant = await newTenant('busy');
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      call('POST', `${tenant}/endpoints`, { url: `https://e.com/${i}` }),
    ),
  );
  assert.deepEqual(new Set(answers.map((answer) => answer.status)), new Set([201]));
  const snapshot = await configValue<TenantSnapshot>(
    plane.kv,
    'tenant.busy',
    (s) => s.endpoints.length === 20,
  );
  assert.equal(snapshot.subscriptions.length, 20);
});

test('plain http is accepted for loopback when loopback is allowed', async () => {
  const tenant = await newTenant('plain');
  for (const url of ['http://127.0.0.1:8081/x', 'http://localhost:8081/x']) {
    assert.equal((await call('POST', `${tenant}/endpoints`, { url })).status, 201, url);
  }
});

test('an endpoint is paused, then reactivated', async () => {
  const tenant = await newTenant('pause');
  const { id } = (await call('POST', `${tenant}/endpoints`, { url: 'https://e.com/' })).body;
  const paused = await call('PATCH', `${tenant}/endpoints/${id}`, { status: 'paused' });
  assert.equal(paused.body.status_reason, 'operator');
  await configValue<TenantSnapshot>(
    plane.kv,
    'tenant.pause',
    (s) => s.endpoints[0]?.state === 'paused',
  );
  const active = await call('PATCH', `${tenant}/endpoints/${id}`, { status: 'active' });
  assert.equal(active.body.status_reason, null);
  assert.equal((await call('PATCH', `${tenant}/endpoints/${id}`, {})).status, 400);
});

test('a gone endpoint is disabled once, and not if its URL was changed since', async () => {
  const tenant = await newTenant('gone');
  const { id, url } = (await call('POST', `${tenant}/endpoints`, { url: 'https://e.com/' })).body;
  const record = { k: 'endpoint-gone' as const, tenant: 'gone', endpoint: id, url };
  await plane.control.disableGoneEndpoint({ ...record, url: 'https://e.com/before' });
  assert.equal((await call('GET', `${tenant}/endpoints/${id}`)).body.status, 'active');
  await plane.control.disableGoneEndpoint(record);
  await plane.control.disableGoneEndpoint(record);
  const { body } = await call('GET', `${tenant}/endpoints/${id}`);
  assert.equal(body.status, 'disabled');
  assert.equal(body.status_reason, 'gone');
  assert.equal(body.revision, 2);
  await plane.control.disableGoneEndpoint({ ...record, tenant: 'never' });
});

test('a rotation keeps the old secret for the overlap, and is rejected when too many are valid', async () => {
  const tenant = await newTenant('rotate');
  const made = (await call('POST', `${tenant}/endpoints`, { url: 'https://e.com/' })).body;
  const path = `${tenant}/endpoints/${made.id}/rotate-secret`;
  const rotated = await call('POST', path);
  assert.equal(rotated.status, 200, rotated.text);
  assert.notEqual(rotated.body.secret, made.secret);
  const snapshot = await configValue<TenantSnapshot>(
    plane.kv,
    'tenant.rotate',
    (s) => s.endpoints[0]?.secrets.length === 2,
  );
  const [now, before] = snapshot.endpoints[0]?.secrets ?? [];
  assert.equal(now?.notAfterMs, undefined);
  assert.equal(before?.notAfterMs, Date.parse(rotated.body.previous_expires_at));
  assert.equal(plane.secretBox.open(before?.sealed ?? '', made.id), made.secret);
  const atOnce = await call('POST', path, { overlap_seconds: 0 });
  assert.equal(atOnce.status, 200);
  await configValue<TenantSnapshot>(
    plane.kv,
    'tenant.rotate',
    (s) => s.endpoints[0]?.secrets.length === 1,
  );
  for (let i = 0; i < 4; i++) assert.equal((await call('POST', path)).status, 200);
  assert.equal((await call('POST', path)).body.code, 'POSTHORN_LIMIT_EXCEEDED');
  assert.equal((await call('POST', path, { overlap: 1 })).body.errors[0].pointer, '/overlap');
});

test('a rotation without a secret keeps the algorithm, and public keys are shown', async () => {
  const tenant = await newTenant('rotate-kind');
  const body = Buffer.from('{}');
  for (const algorithm of ['ed25519', 'hmac-sha256'] as const) {
    const given = newSecret(algorithm);
    const url = `https://e.com/${algorithm}`;
    const made = await call('POST', `${tenant}/endpoints`, { url, secret: given });
    const path = `${tenant}/endpoints/${made.body.id}`;
    const rotated = (await call('POST', `${path}/rotate-secret`)).body;
    const secrets = (await call('GET', path)).body.signing_secrets;
    assert.deepEqual(
      secrets.map((each: { algorithm: string }) => each.algorithm),
      [algorithm, algorithm],
    );
    assert.deepEqual(
      secrets.map((each: { expires_at: string }) => each.expires_at),
      [null, rotated.previous_expires_at],
    );
    const shown = secrets.map((each: { public_key: string }) => each.public_key);
    if (algorithm === 'hmac-sha256') {
      assert.deepEqual([rotated.public_key, ...shown], [null, null, null]);
      continue;
    }
    assert.equal(rotated.public_key, shown[0]);
    for (const [i, secret] of [rotated.secret, given].entries()) {
      const signature = createSigner(secret)('msg_1', 1, body).slice('v1a,'.length);
      // Receivers hold the key in DER form (RFC 8410).
      const der = Buffer.concat([
        Buffer.from('302a300506032b6570032100', 'hex'),
        Buffer.from(shown[i].slice('whpk_'.length), 'base64'),
      ]);
      const key = createPublicKey({ key: der, format: 'der', type: 'spki' });
      const content = Buffer.concat([Buffer.from('msg_1.1.'), body]);
      assert.ok(verify(null, content, key, Buffer.from(signature, 'base64')));
    }
  }
});

test('rejects a change when the resource has changed since it was read', async () => {
  const tenant = await newTenant('etag');
  const { id } = (await call('POST', `${tenant}/endpoints`, { url: 'https://e.com/' })).body;
  const path = `${tenant}/endpoints/${id}`;
  const etag = String((await call('GET', path)).headers['etag']);
  const first = await call('PATCH', path, { description: 'a' }, { headers: { 'if-match': etag } });
  assert.equal(first.status, 200);
  const stale = { headers: { 'if-match': etag } };
  assert.equal((await call('PATCH', path, { description: 'b' }, stale)).status, 412);
  assert.equal((await call('DELETE', path, undefined, stale)).status, 412);
  assert.equal((await call('PUT', tenant, {}, { headers: { 'if-match': '"7"' } })).status, 412);
  assert.equal(
    (await call('DELETE', tenant, undefined, { headers: { 'if-match': '"7"' } })).status,
    412,
  );
  assert.equal((await call('GET', path)).body.description, 'a');
  const last = await call('DELETE', path, undefined, { headers: { 'if-match': '*' } });
  assert.equal(last.status, 204);
});

test('rejects an unknown tenant or resource with the error code of its kind', async () => {
  const tenant = await newTenant('empty');
  const codes = async (path: string) => (await call('GET', path)).body.code;
  assert.equal(await codes('/v1/tenants/nobody/endpoints'), 'POSTHORN_TENANT_UNKNOWN');
  assert.equal(await codes('/v1/tenants/nobody/endpoints/ep_1'), 'POSTHORN_TENANT_UNKNOWN');
  assert.equal(await codes(`${tenant}/endpoints/ep_1`), 'POSTHORN_RESOURCE_UNKNOWN');
  assert.equal(await codes(`${tenant}/subscriptions/sub_1`), 'POSTHORN_RESOURCE_UNKNOWN');
  const made = await call('POST', '/v1/tenants/nobody/endpoints', { url: 'https://e.com/' });
  assert.equal(made.body.code, 'POSTHORN_TENANT_UNKNOWN');
  const foreign = await newTenant('foreign');
  const { id } = (await call('POST', `${foreign}/endpoints`, { url: 'https://e.com/' })).body;
  assert.equal(await codes(`${tenant}/endpoints/${id}`), 'POSTHORN_RESOURCE_UNKNOWN');
  const patched = await call('PATCH', `${tenant}/endpoints/${id}`, { status: 'paused' });
  assert.equal(patched.status, 404);
});

test('pages list every endpoint once while others are added', async () => {
  const tenant = await newTenant('pages');
  const ids: string[] = [];
  for (let i = 0; i < 7; i++) {
    ids.push((await call('POST', `${tenant}/endpoints`, { url: `https://e.com/${i}` })).body.id);
  }
  const seen: string[] = [];
  let cursor = '';
  do {
    const page = (await call('GET', `${tenant}/endpoints?limit=3${cursor}`)).body;
    seen.push(...page.data.map((endpoint: { id: string }) => endpoint.id));
    cursor = page.next_cursor === null ? '' : `&cursor=${page.next_cursor}`;
  } while (cursor !== '');
  assert.deepEqual(seen, ids);
  const { next_cursor } = (await call('GET', `${tenant}/endpoints?limit=3`)).body;
  for (const bad of ['x', next_cursor.slice(1), `${next_cursor}A`]) {
    const answer = await call('GET', `${tenant}/endpoints?cursor=${bad}`);
    assert.equal(answer.body.code, 'POSTHORN_CURSOR_INVALID', bad);
  }
  const elsewhere = await call('GET', `${tenant}/subscriptions?cursor=${next_cursor}`);
  assert.equal(elsewhere.body.code, 'POSTHORN_CURSOR_INVALID');
  const newest = (await call('GET', `${tenant}/endpoints?order=newest&limit=250`)).body;
  assert.deepEqual(
    newest.data.map((endpoint: { id: string }) => endpoint.id),
    ids.toReversed(),
  );
  const stays = (query: string) =>
    call('GET', `${tenant}/endpoints?${query}&cursor=${next_cursor}`);
  assert.equal((await stays('limit=5')).status, 200);
  assert.equal((await stays('order=newest')).body.code, 'POSTHORN_CURSOR_INVALID');
  assert.equal((await stays('status=active')).body.code, 'POSTHORN_CURSOR_INVALID');
  await call('DELETE', tenant);
  await newTenant('pages');
  assert.equal((await stays('limit=5')).body.code, 'POSTHORN_CURSOR_INVALID');
  for (const limit of ['0', '251', 'x', '1.5']) {
    const answer = await call('GET', `${tenant}/endpoints?limit=${limit}`);
    assert.equal(answer.body.errors[0].pointer, '#query/limit', limit);
  }
});
