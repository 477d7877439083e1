import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '#infra/system-clock.ts';
import { keyHash } from '#infra/http/server/authenticate.ts';
import { createApp } from '#infra/http/server/app.ts';
import { requireAccess } from '#src/control/routes/access.ts';
import { createLog } from '#infra/telemetry/log.ts';
import { loadSettings } from '#config/load.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { type ControlPlane, startControlPlane } from '../control-plane.ts';

const OPEN = new Set(['/health', '/openapi.json', '/errors/{code}']);
/** The signature of a link is its key: `payloads.test.ts`. */
const LINKS = '/v1/payloads/:tenant/:payload';
const isOpen = (url: string): boolean => OPEN.has(url) || url.startsWith('/docs') || url === LINKS;

interface Route {
  method: string;
  url: string;
}

/** Every route that the control API registers, from the table of the server itself. */
async function routesOf(plane: ControlPlane): Promise<Route[]> {
  const routes: Route[] = [];
  const app = createApp({
    clock: systemClock,
    settings: loadSettings({}).http,
    log: createLog('silent'),
  });
  app.addHook('onRoute', ({ method, url }) => {
    for (const each of [method].flat()) routes.push({ method: each, url });
  });
  plane.control.registerRoutes(app);
  await app.ready();
  await app.close();
  return routes;
}

async function newKey(plane: ControlPlane, body: object): Promise<{ key: string; id: string }> {
  const made = (await plane.call('POST', '/v1/keys', body)).body;
  await waitUntil(() => plane.config.apiKey(keyHash(made.key)));
  return made;
}

/**
 * Fills in a request that would succeed with the platform key, if a path is all that the route
 * needs.
 */
function fill(url: string, endpoint: string, subscription: string): string {
  return url
    .replace(':tenant', 'acme')
    .replace(':endpoint', endpoint)
    .replace(':subscription', subscription)
    .replace(':name', 'order.created')
    .replace(':key', 'key_none')
    .replace(/:\w+/, 'none');
}

test('every route rejects requests without a key, with a revoked key, and with the key of another tenant', async (t) => {
  const plane = await startControlPlane(t);
  await plane.call('PUT', '/v1/tenants/acme', {});
  await plane.call('PUT', '/v1/tenants/other', {});
  const made = await plane.call('POST', '/v1/tenants/acme/endpoints', { url: 'https://e.com/' });
  const revoked = await newKey(plane, { scope: 'platform' });
  await plane.call('DELETE', `/v1/keys/${revoked.id}`);
  await waitUntil(() => plane.config.apiKey(keyHash(revoked.key)) === undefined);
  const keys = {
    none: { key: '', status: 401 },
    revoked: { key: revoked.key, status: 401 },
    'of another tenant': {
      key: (await newKey(plane, { scope: 'tenant', tenant_id: 'other' })).key,
      status: 403,
    },
    'of a producer': { key: (await newKey(plane, { scope: 'producer' })).key, status: 403 },
    'of a producer of the tenant': {
      key: (await newKey(plane, { scope: 'producer', tenant_id: 'acme' })).key,
      status: 403,
    },
  };
  const routes = await routesOf(plane);
  assert.ok(routes.length > 40, `${routes.length} routes were found`);
  for (const { method, url } of routes) {
    // The portal token in its body is its key: `portal-tokens.test.ts`.
    if (isOpen(url) || (method === 'POST' && url === '/v1/session')) continue;
    const path = fill(url, made.body.id, made.body.subscription_id);
    for (const [name, { key, status }] of Object.entries(keys)) {
      const body = ['POST', 'PUT', 'PATCH'].includes(method) ? {} : undefined;
      const answer = await plane.call(method, path, body, { key });
      const isRegistry = /^\/v1\/event-type(s|-exports)\b/.test(url);
      const readsTypes = isRegistry && ['GET', 'HEAD'].includes(method);
      const what = `${method} ${url} with the key ${name}: ${answer.status}`;
      // Every valid key may read the registry; it holds no data of tenants.
      const isOwn = url === '/v1/session';
      if (isOwn && status === 403) assert.ok([200, 404].includes(answer.status), what);
      else if (readsTypes && status === 403) {
        assert.ok([200, 400, 404].includes(answer.status), what);
      } else assert.equal(answer.status, status, what);
    }
  }
  const still = await plane.call('GET', `/v1/tenants/acme/endpoints/${made.body.id}`);
  assert.equal(still.body.revision, 1);
});

test("a tenant's own key reads and manages the tenant, and has no access to the platform", async (t) => {
  const plane = await startControlPlane(t);
  await plane.call('PUT', '/v1/tenants/acme', {});
  const { key } = await newKey(plane, { scope: 'tenant', tenant_id: 'acme' });
  const own = async (method: string, path: string, body?: object) =>
    (await plane.call(method, path, body, { key })).status;
  assert.equal(await own('GET', '/v1/tenants/acme'), 200);
  assert.equal(await own('POST', '/v1/tenants/acme/endpoints', { url: 'https://e.com/' }), 201);
  assert.equal(await own('GET', '/v1/tenants/acme/events'), 200);
  assert.equal(await own('PUT', '/v1/tenants/acme', { weight: 100 }), 403);
  assert.equal(await own('DELETE', '/v1/tenants/acme'), 403);
  assert.equal(await own('GET', '/v1/tenants'), 403);
  assert.equal(await own('GET', '/v1/keys'), 403);
  assert.equal(await own('PUT', '/v1/event-types/a', {}), 403);
  // Whether another tenant exists or not makes no difference.
  assert.equal(await own('GET', '/v1/tenants/nobody'), 403);
});

test('rejects a route without a required access at start', async () => {
  const app = createApp({
    clock: systemClock,
    settings: loadSettings({}).http,
    log: createLog('silent'),
  });
  void app.register((scope, _options, done) => {
    const lives = { find: async () => undefined, of: async (id: string) => id };
    requireAccess(scope, () => ({ keyId: 'key_1', scope: 'platform' }), lives, {});
    assert.throws(() => scope.get('/open-by-mistake', () => 'hello'), /lacks "access"/);
    const config = { access: 'platform' } as const;
    assert.throws(() => scope.delete('/things/:thing', { config }, () => 'hello'), /"if-match"/);
    scope.get('/things/:thing', { config }, () => 'hello');
    done();
  });
  await app.ready();
  await app.close();
});
