/** `POST /notifications`: events of all customers at one URL (IN-10). */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { waitUntil } from '#testkit/wait-until.ts';
import { IngressPlane } from '../ingress-plane.ts';

const path = '/notifications';
const event = (customer: unknown, more: object = {}) => ({
  type: 'order.created',
  data: { customer: { id: customer }, n: 1 },
  ...more,
});

async function start(t: TestContext, basicAuth = false): Promise<IngressPlane> {
  const notifications = { tenantPointer: '/data/customer/id', basicAuth };
  const settings = { notifications, publishTimeoutMs: 1000 };
  const plane = await IngressPlane.start(t, { settings });
  await plane.tenant('globex');
  await plane.tenant('42');
  await plane.key('producer', 'producer');
  await plane.key('bound', 'producer', { tenant: 'acme' });
  await plane.key('reader', 'tenant', { tenant: 'acme' });
  await waitUntil(() => plane.config.currentTenant('42'));
  return plane;
}

test('an event goes to the tenant that its body names', async (t) => {
  const plane = await start(t);
  const headers = { authorization: 'Bearer producer' };
  for (const [customer, tenant] of [
    ['acme', 'acme'],
    ['globex', 'globex'],
    [42, '42'],
  ]) {
    const sent = event(customer);
    const { status, body } = await plane.post(sent, { path, headers });
    assert.equal(status, 202, JSON.stringify(body));
    const stored = (await plane.stored()).at(-1);
    assert.equal(stored?.head.id, body.id);
    assert.match(stored?.subject ?? '', new RegExp(`^ev\\.\\d+\\.${tenant}\\.order\\.created$`));
    assert.equal(stored?.data.toString(), JSON.stringify(sent.data));
  }
});

test('a CloudEvent goes to the tenant that its body names', async (t) => {
  const plane = await start(t);
  const cloudEvent = { specversion: '1.0', id: '1', source: '/shop', ...event('globex') };
  const headers = { 'content-type': 'application/cloudevents+json' };
  const { status } = await plane.post(cloudEvent, { path, headers });
  assert.equal(status, 202);
});

test('errors have a status that a forwarder knows, and their own code', async (t) => {
  const plane = await start(t);
  await plane.tenant('limited', { rateLimit: { perSecond: 0.01, burst: 1 } });
  await waitUntil(() => plane.config.currentTenant('limited'));
  await plane.post(event('acme', { id: 'e1' }), { path });
  await plane.post(event('limited'), { path });
  const cases: [body: unknown, key: string | undefined, status: number, code: string][] = [
    ['{', 'producer', 400, 'POSTHORN_BODY_INVALID'],
    [[], 'producer', 400, 'POSTHORN_EVENT_INVALID'],
    [{ type: 'a' }, 'producer', 400, 'POSTHORN_EVENT_INVALID'],
    [event(null), 'producer', 400, 'POSTHORN_EVENT_INVALID'],
    [event({ id: 'acme' }), 'producer', 400, 'POSTHORN_EVENT_INVALID'],
    [event('no/id'), 'producer', 400, 'POSTHORN_EVENT_INVALID'],
    [event(1.5), 'producer', 400, 'POSTHORN_EVENT_INVALID'],
    [
      '{"type":"a","data":{"customer":{"id":"acme","id":"globex"}}}',
      'producer',
      400,
      'POSTHORN_EVENT_INVALID',
    ],
    [event('nobody'), 'producer', 400, 'POSTHORN_TENANT_UNKNOWN'],
    [event('acme', { colour: 1 }), 'producer', 400, 'POSTHORN_EVENT_INVALID'],
    [event('acme'), undefined, 401, 'POSTHORN_KEY_MISSING'],
    [event('acme'), 'wrong', 401, 'POSTHORN_KEY_INVALID'],
    [event('globex'), 'bound', 401, 'POSTHORN_KEY_SCOPE'],
    [event('acme'), 'reader', 401, 'POSTHORN_KEY_SCOPE'],
    [
      event('acme', { id: 'e1', data: { customer: { id: 'acme' } } }),
      'producer',
      409,
      'POSTHORN_EVENT_ID_REUSED',
    ],
    [event('limited'), 'producer', 429, 'POSTHORN_RATE_LIMITED'],
  ];
  for (const [sent, key, status, code] of cases) {
    const headers = { authorization: key === undefined ? '' : `Bearer ${key}` };
    const answer = await plane.post(sent, { path, headers });
    assert.deepEqual([answer.status, answer.body.code], [status, code], JSON.stringify(sent));
    assert.equal(answer.body.status, status);
    if (status === 401) assert.equal(answer.headers['www-authenticate'], 'Bearer');
  }
  const text = await plane.post('x', { path, headers: { 'content-type': 'text/plain' } });
  assert.equal(text.status, 400);
});

test('a store that does not answer is 500 with the time to wait', async (t) => {
  const plane = await start(t);
  await plane.core.killServer();
  const { status, headers, body } = await plane.post(event('acme'), { path });
  assert.equal(status, 500);
  assert.equal(body.status, 500);
  assert.notEqual(headers['retry-after'], undefined);
  await plane.core.restartServer();
});

test('basic authentication is refused unless it is on', async (t) => {
  const basic = `Basic ${Buffer.from('any:producer').toString('base64')}`;
  const off = await start(t);
  const refused = await off.post(event('acme'), { path, headers: { authorization: basic } });
  assert.equal(refused.status, 401);
  const on = await start(t, true);
  const accepted = await on.post(event('acme'), { path, headers: { authorization: basic } });
  assert.equal(accepted.status, 202);
  const none = await on.post(event('acme'), { path, headers: { authorization: 'Basic YQ==' } });
  assert.equal(none.status, 401);
  assert.equal(none.headers['www-authenticate'], 'Bearer, Basic realm="posthorn"');
  const elsewhere = await on.post(event('acme'), { headers: { authorization: basic } });
  assert.equal(elsewhere.status, 401);
});

test('there is no route unless the pointer is set', async (t) => {
  const plane = await IngressPlane.start(t);
  assert.equal((await plane.post(event('acme'), { path })).status, 404);
});
