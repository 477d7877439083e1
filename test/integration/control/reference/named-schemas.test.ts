import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startControlPlane } from '../control-plane.ts';
import { type Json, schemasOf } from './read-document.ts';

test('the document names each shape once and refers to it everywhere else', async (t) => {
  const plane = await startControlPlane(t, { idle: true });
  const document = (await plane.call('GET', '/openapi.json', undefined, { key: '' })).body as Json;
  const named = new Set<string>();
  const shapes = new Map<string, string>();
  const nameless: string[] = [];
  const repeated: string[] = [];
  for (const { schema, at } of schemasOf(document)) {
    if (schema['$ref'] !== undefined) continue;
    const isComponent = /^#\/components\/schemas\/\w+$/.test(at);
    if (isComponent) named.add(at);
    if (schema['enum'] !== undefined) assert.equal(schema['type'], 'string', `${at} has a type`);
    if (schema['properties'] === undefined && schema['enum'] === undefined) continue;
    // A schema under `not` describes no value of its own.
    if (at.endsWith('/not')) continue;
    if (!isComponent) nameless.push(at);
    const text = JSON.stringify(schema);
    if (shapes.has(text)) repeated.push(`${at} is ${shapes.get(text)}`);
    shapes.set(text, at);
  }
  assert.deepEqual(nameless, [], 'every shape has a name');
  assert.deepEqual(repeated, [], 'every shape is described once');
  assert.ok(named.size > 90, 'schemas were found');
});

test('the document has no keyword default', async (t) => {
  const plane = await startControlPlane(t, { idle: true });
  const document = (await plane.call('GET', '/openapi.json', undefined, { key: '' })).body as Json;
  let defaults = 0;
  for (const path of Object.values(document['paths'] as Record<string, Json>)) {
    for (const { parameters = [] } of Object.values(path) as { parameters?: Json[] }[]) {
      for (const { name, required, schema } of parameters) {
        if ((schema as Json)['default'] === undefined) continue;
        assert.equal(required, false, String(name));
        defaults++;
      }
    }
  }
  assert.ok(defaults >= 12);
});

test('the document describes each tag that an operation has, and no other', async (t) => {
  const plane = await startControlPlane(t, { idle: true });
  const document = (await plane.call('GET', '/openapi.json', undefined, { key: '' })).body as {
    tags: { name: string; description: string }[];
    paths: Record<string, Record<string, { tags: string[] }>>;
    webhooks: Record<string, Record<string, { tags: string[] }>>;
  };
  const items = [...Object.values(document.paths), ...Object.values(document.webhooks)];
  const used = items.flatMap((item) => Object.values(item)).flatMap(({ tags }) => tags);
  const described = document.tags.map(({ name }) => name);
  assert.deepEqual([...new Set(used)].toSorted(), described.toSorted());
  assert.ok(document.tags.every(({ description }) => description !== ''));
});

test('the document uses every component, and refers to nothing else', async (t) => {
  const plane = await startControlPlane(t, { idle: true });
  const document = (await plane.call('GET', '/openapi.json', undefined, { key: '' })).body as Json;
  const { securitySchemes, ...kinds } = document['components'] as Record<string, Json>;
  assert.deepEqual(Object.keys(securitySchemes as Json), ['key']);
  const components = Object.entries(kinds).flatMap(([kind, members]) =>
    Object.keys(members).map((name) => `#/components/${kind}/${name}`),
  );
  const references = JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g);
  const used = new Set([...references].map(([, reference = '']) => reference));
  assert.deepEqual([...used].toSorted(), components.toSorted());
});

test('the document has 304 and if-none-match when an answer has an etag', async (t) => {
  const plane = await startControlPlane(t, { idle: true });
  const document = (await plane.call('GET', '/openapi.json', undefined, { key: '' })).body as {
    paths: Record<string, Record<string, Operation>>;
  };
  let found = 0;
  for (const [path, { get }] of Object.entries(document.paths)) {
    if (get?.responses['200']?.headers?.['etag'] === undefined) continue;
    assert.deepEqual(Object.keys(get.responses['304']?.headers ?? {}), ['x-request-id', 'etag']);
    assert.ok(
      get.parameters?.some(({ name }) => name === 'if-none-match'),
      path,
    );
    found++;
  }
  assert.ok(found >= 4, 'answers with an etag were found');
});

interface Operation {
  parameters?: { name: string }[];
  responses: Record<string, { headers?: Record<string, unknown> }>;
}
