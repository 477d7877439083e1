import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { keyHash } from '#infra/http/server/authenticate.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { type Answer, type ControlPlane, startControlPlane } from '../control-plane.ts';

let plane: ControlPlane;
const undo: (() => unknown)[] = [];
before(async () => {
  plane = await startControlPlane(
    { after: (step) => undo.push(step as () => unknown) },
    { settings: { publicUrl: 'https://hooks.example' } },
  );
  await plane.call('PUT', '/v1/tenants/acme', {});
  await plane.call('PUT', '/v1/tenants/other', {});
});
after(async () => {
  for (const step of undo) await step();
});

async function make(body: object = {}, tenant = 'acme'): Promise<{ id: string; token: string }> {
  const made = await plane.call('POST', `/v1/tenants/${tenant}/portal-tokens`, body);
  assert.equal(made.status, 201, made.text);
  return made.body;
}

const exchange = (token: string): Promise<Answer> =>
  plane.call('POST', '/v1/session', { token }, { key: '' });

interface SignedIn {
  cookie: string;
  csrf: string;
}

async function signIn(body: object = {}, tenant = 'acme'): Promise<SignedIn & { id: string }> {
  const { token, id } = await make(body, tenant);
  const answer = await exchange(token);
  assert.equal(answer.status, 201, answer.text);
  const [cookie = ''] = String(answer.headers['set-cookie']).split(';');
  return { id, cookie, csrf: answer.body.csrf_token };
}

function as({ cookie, csrf }: SignedIn, method: string, path: string, body?: object) {
  const headers = { cookie, ...(method === 'GET' ? {} : { 'x-csrf-token': csrf }) };
  return plane.call(method, path, body, { key: '', headers });
}

test('a portal token has a link, is valid as a bearer token, and is exchanged once for a cookie', async () => {
  const made = (
    await plane.call('POST', '/v1/tenants/acme/portal-tokens', {
      capabilities: ['view', 'send_test'],
      theme: { mode: 'dark', accent: '#0b5fff' },
      expires_in_seconds: 7200,
    })
  ).body;
  assert.equal(made.link, `https://hooks.example/portal#token=${made.token}`);
  assert.equal(made.status, 'active');
  assert.equal(Date.parse(made.expires_at) - Date.parse(made.created_at), 7_200_000);
  const bearer = () => plane.call('GET', '/v1/tenants/acme', undefined, { key: made.token });
  assert.equal((await bearer()).status, 200);
  const answer = await exchange(made.token);
  assert.equal(answer.status, 201, answer.text);
  assert.match(
    String(answer.headers['set-cookie']),
    /^__Host-posthorn_session=phs_[\w-]{32}; Path=\/; Secure; HttpOnly; SameSite=Strict; Max-Age=7(200|1\d\d)$/,
  );
  const { id, kind, tenant_id, capabilities, theme } = answer.body;
  assert.deepEqual(
    { id, kind, tenant_id, capabilities, theme },
    {
      id: made.id,
      kind: 'portal',
      tenant_id: 'acme',
      capabilities: ['view', 'send_test'],
      theme: { mode: 'dark', accent: '#0b5fff' },
    },
  );
  for (const again of [await exchange(made.token), await bearer()]) {
    assert.equal(again.status, 401);
    assert.match(again.body.detail, /was exchanged already/);
    assert.equal(again.headers['set-cookie'], undefined);
  }
  const shown = await plane.call('GET', `/v1/tenants/acme/portal-tokens/${made.id}`);
  assert.equal(shown.body.status, 'exchanged');
  assert.ok(!shown.text.includes(made.token));
});

test('of exchanges at the same time one succeeds', async () => {
  const { token } = await make();
  const answers = await Promise.all([1, 2, 3, 4, 5].map(() => exchange(token)));
  const statuses = answers.map(({ status }) => status).toSorted((a, b) => a - b);
  assert.deepEqual(statuses, [201, 401, 401, 401, 401]);
});

test('a session reaches its tenant with its capabilities alone', async () => {
  const session = await signIn({ capabilities: ['view', 'manage_endpoints'] });
  const status = async (method: string, path: string, body?: object) =>
    (await as(session, method, path, body)).status;
  assert.equal(await status('GET', '/v1/tenants/acme/endpoints'), 200);
  assert.equal(await status('POST', '/v1/tenants/acme/endpoints', { url: 'https://e.com' }), 201);
  assert.equal(await status('POST', '/v1/tenants/acme/deliveries/dlv_1/retry'), 403);
  assert.equal(await status('GET', '/v1/tenants/other/endpoints'), 403);
  assert.equal(await status('GET', '/v1/tenants'), 403);
  assert.equal(await status('GET', '/v1/keys'), 403);
  assert.equal(await status('POST', '/v1/tenants/acme/portal-tokens', {}), 403);
});

test('rejects a change by cookie without the CSRF token of its session', async () => {
  const session = await signIn({ capabilities: ['view', 'manage_endpoints'] });
  const other = await signIn();
  const create = (headers: Record<string, string>) =>
    plane.call(
      'POST',
      '/v1/tenants/acme/endpoints',
      { url: 'https://c.com' },
      { key: '', headers },
    );
  for (const csrf of [undefined, '', 'x', other.csrf, `${session.csrf}0`]) {
    const given = csrf === undefined ? {} : { 'x-csrf-token': csrf };
    const refused = await create({ cookie: session.cookie, ...given });
    assert.equal(refused.status, 403);
    assert.equal(refused.body.code, 'POSTHORN_CSRF_INVALID');
  }
  const both = `${session.cookie}; ${other.cookie}`;
  assert.equal((await create({ cookie: both, 'x-csrf-token': session.csrf })).status, 401);
  const passed = await create({ cookie: `a=1; ${session.cookie}`, 'x-csrf-token': session.csrf });
  assert.equal(passed.status, 201, passed.text);
  const read = await as(session, 'GET', '/v1/session');
  assert.equal(read.body.csrf_token, session.csrf);
});

test('a cookie is ignored if there is a header authorization, and is no bearer token', async () => {
  const { cookie } = await signIn();
  const value = cookie.slice(cookie.indexOf('=') + 1);
  const headers = { cookie };
  const beside = await plane.call('GET', '/v1/tenants/acme', undefined, { key: 'phk_x', headers });
  assert.equal(beside.status, 401);
  assert.equal(
    (await plane.call('GET', '/v1/tenants/acme', undefined, { key: value })).status,
    401,
  );
  const publish = await plane.call('GET', '/v1/session', undefined, { key: value });
  assert.equal(publish.status, 401);
});

test('a revoked token and its session are refused within a second in every process', async () => {
  const session = await signIn();
  const { token, id } = await make();
  const read = () => as(session, 'GET', '/v1/tenants/acme');
  const bearer = () => plane.call('GET', '/v1/tenants/acme', undefined, { key: token });
  assert.deepEqual([(await read()).status, (await bearer()).status], [200, 200]);
  for (const each of [session.id, id, id]) {
    const path = `/v1/tenants/acme/portal-tokens/${each}`;
    assert.equal((await plane.call('DELETE', path)).status, 204);
  }
  // The deny list alone ends what the process has cached.
  await waitUntil(() => plane.config.revocation(session.id) > 0 && plane.config.revocation(id) > 0);
  for (const refused of [await read(), await bearer(), await exchange(token)]) {
    assert.equal(refused.status, 401);
    assert.match(refused.body.detail, /was revoked/);
  }
  const shown = await plane.call('GET', `/v1/tenants/acme/portal-tokens/${id}`);
  assert.equal(shown.body.status, 'revoked');
});

test('all tokens of a tenant are revoked together, later ones and those of other tenants stay', async () => {
  await plane.call('PUT', '/v1/tenants/many', {});
  const session = await signIn({}, 'many');
  const { token } = await make({}, 'many');
  const stays = await signIn({}, 'other');
  assert.equal((await as(session, 'GET', '/v1/tenants/many')).status, 200);
  const path = '/v1/tenants/many/portal-tokens/revoke';
  for (const body of [{}, { all: false }, undefined]) {
    assert.equal((await plane.call('POST', path, body)).status, 400);
  }
  const revoked = await plane.call('POST', path, { all: true });
  assert.deepEqual(revoked.body, { revoked_count: 2 });
  await waitUntil(() => plane.config.revocation('tenant.many') > 0);
  assert.equal((await as(session, 'GET', '/v1/tenants/many')).status, 401);
  assert.equal((await exchange(token)).status, 401);
  assert.equal((await as(stays, 'GET', '/v1/tenants/other')).status, 200);
  const later = await signIn({}, 'many');
  assert.equal((await as(later, 'GET', '/v1/tenants/many')).status, 200);
  assert.deepEqual((await plane.call('POST', path, { all: true })).body, { revoked_count: 1 });
});

test('tokens and sessions of a deleted tenant are refused, in its next life too', async () => {
  await plane.call('PUT', '/v1/tenants/short', {});
  const session = await signIn({}, 'short');
  const { token, id } = await make({}, 'short');
  assert.equal((await as(session, 'GET', '/v1/tenants/short')).status, 200);
  await plane.call('DELETE', '/v1/tenants/short');
  await waitUntil(() => plane.config.revocation('tenant.short') > 0);
  assert.equal((await as(session, 'GET', '/v1/event-types')).status, 401);
  assert.equal((await exchange(token)).status, 401);
  await plane.call('PUT', '/v1/tenants/short', {});
  assert.equal((await as(session, 'GET', '/v1/tenants/short')).status, 401);
  assert.equal((await exchange(token)).status, 401);
  assert.equal((await plane.call('GET', `/v1/tenants/short/portal-tokens/${id}`)).status, 404);
  const own = await make({}, 'short');
  assert.equal((await exchange(own.token)).status, 201);
});

test('a token that outlived its tenant by a race is refused', async () => {
  await plane.call('PUT', '/v1/tenants/raced', {});
  const { token } = await make({}, 'raced');
  const sessions = plane.db.collection('sessions');
  const kept = await sessions.findOne({ token_hash: keyHash(token) });
  await plane.call('DELETE', '/v1/tenants/raced');
  await sessions.insertOne(kept as never);
  const refused = await exchange(token);
  assert.equal(refused.status, 401);
  assert.match(refused.body.detail, /of a deleted tenant/);
});

test('an expired token or session is refused', async () => {
  const session = await signIn();
  const { token } = await make();
  await plane.db
    .collection('sessions')
    .updateMany({}, { $set: { expires_at: new Date(Date.now() - 1) } });
  const expired = await exchange(token);
  assert.equal(expired.status, 401);
  assert.match(expired.body.detail, /has expired/);
  const other = await plane.call('GET', '/v1/session', undefined, {
    key: '',
    headers: { cookie: session.cookie },
  });
  assert.equal(other.status, 401);
});

test('signing out ends the session and removes the cookie', async () => {
  const session = await signIn();
  assert.equal((await as(session, 'GET', '/v1/session')).status, 200);
  const out = await as(session, 'DELETE', '/v1/session');
  assert.equal(out.status, 204);
  assert.match(String(out.headers['set-cookie']), /^__Host-posthorn_session=;.*Max-Age=0$/);
  await waitUntil(() => plane.config.revocation(session.id) > 0);
  assert.equal((await as(session, 'GET', '/v1/session')).status, 401);
  const ofKey = await plane.call('GET', '/v1/session');
  assert.equal(ofKey.body.kind, 'api_key');
  assert.equal(ofKey.body.csrf_token, null);
  assert.equal((await plane.call('DELETE', '/v1/session')).status, 404);
  assert.equal((await plane.call('GET', '/v1/session')).status, 200);
});

test('rejects settings of a token outside their bounds, and unknown tokens', async () => {
  const cases: [object, string][] = [
    [{ capabilities: ['publish'] }, '/capabilities/0'],
    [{ capabilities: [] }, '/capabilities'],
    [{ expires_in_seconds: 3599 }, '/expires_in_seconds'],
    [{ expires_in_seconds: 604_801 }, '/expires_in_seconds'],
    [{ event_types: [] }, '/event_types'],
    [{ event_types: ['a*b'] }, '/event_types/0'],
    [{ theme: { accent: 'red;}' } }, '/theme/accent'],
    [{ theme: { css: '' } }, '/theme/css'],
  ];
  for (const [body, pointer] of cases) {
    const refused = await plane.call('POST', '/v1/tenants/acme/portal-tokens', body);
    assert.equal(refused.status, 400, JSON.stringify(body));
    assert.equal(refused.body.errors[0].pointer, pointer);
  }
  assert.equal((await plane.call('POST', '/v1/tenants/nobody/portal-tokens', {})).status, 404);
  assert.equal((await plane.call('DELETE', '/v1/tenants/acme/portal-tokens/ses_none')).status, 404);
  for (const token of ['pht_none', 'phk_p_none', 'phs_none', 'x']) {
    assert.equal((await exchange(token)).status, 401, token);
  }
  // The key of a caller is no portal token.
  const key = 'phk_p_bootstrap-0123456789';
  assert.equal((await exchange(key)).status, 401);
});

test('a repeat with the same Idempotency-Key gets the same token', async () => {
  const once = () =>
    plane.call(
      'POST',
      '/v1/tenants/acme/portal-tokens',
      {},
      { headers: { 'idempotency-key': 'p1' } },
    );
  const [first, second] = [await once(), await once()];
  assert.equal(second.body.token, first.body.token);
  assert.equal((await exchange(first.body.token)).status, 201);
});
