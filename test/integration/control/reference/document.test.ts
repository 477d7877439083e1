import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startControlPlane } from '../control-plane.ts';

interface Operation {
  operationId?: string;
  summary?: string;
  responses: Record<string, unknown>;
}

test('the OpenAPI document has every route of both roles, and the page loads from this server', async (t) => {
  const plane = await startControlPlane(t, { idle: true });
  const answer = await plane.call('GET', '/openapi.json', undefined, { key: '' });
  assert.equal(answer.status, 200);
  const document = answer.body as {
    openapi: string;
    paths: Record<string, Record<string, Operation>>;
  };
  assert.equal(document.openapi, '3.1.0');
  const operations = Object.values(document.paths).flatMap((path) => Object.values(path));
  const ids = operations.map((operation) => operation.operationId);
  for (const id of [
    'publishEvent',
    'publishEvents',
    'putTenant',
    'createEndpoint',
    'rotateEndpointSecret',
    'dryRunSubscription',
    'putEventType',
    'createKey',
    'getEvent',
    'listAttempts',
  ]) {
    assert.ok(ids.includes(id), id);
  }
  assert.equal(new Set(ids).size, ids.length, 'operation ids are unique');
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      assert.ok(operation.summary, `${method} ${path} has a summary`);
      assert.ok(Object.keys(operation.responses).length > 0);
    }
  }
  // It has no internals of TypeBox or Fastify.
  assert.ok(!answer.text.includes('"~kind"') && !answer.text.includes('undefined'));

  const page = await plane.call('GET', '/docs', undefined, { key: '' });
  assert.equal(page.status, 200);
  const csp = String(page.headers['content-security-policy']);
  assert.match(csp, /script-src 'self';/);
  const assets = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1] ?? '');
  assert.ok(assets.length >= 5);
  for (const asset of assets) {
    assert.ok(asset.startsWith('/docs/'), `${asset} comes from here`);
    const file = await plane.call('GET', asset, undefined, { key: '' });
    assert.equal(file.status, 200, asset);
  }
  const json = await plane.call('GET', '/docs/json', undefined, { key: '' });
  assert.deepEqual(json.body, answer.body);
});
