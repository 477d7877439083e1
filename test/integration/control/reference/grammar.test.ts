import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { startControlPlane } from '../control-plane.ts';

interface Schema {
  $ref?: string;
  type?: string;
  enum?: unknown[];
  properties?: Record<string, Schema>;
  items?: Schema;
  anyOf?: Schema[];
  oneOf?: Schema[];
  default?: unknown;
}

interface Operation {
  operationId: string;
  summary?: string;
  description?: string;
  parameters?: { name: string; in: string; schema: Schema }[];
  requestBody?: { content: Record<string, { schema: Schema; example?: unknown }> };
  responses: Record<string, { content?: Record<string, { schema: Schema; example?: unknown }> }>;
}

let operations: { method: string; path: string; operation: Operation }[];
let schemas: Record<string, Schema>;

before(async (t) => {
  const plane = await startControlPlane(t as never);
  const document = (await plane.call('GET', '/openapi.json')).body;
  schemas = document.components.schemas;
  const paths = Object.entries<Record<string, Operation>>(document.paths);
  operations = paths.flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method, path, operation })),
  );
});

/** Returns each property of the named schemas with its path. */
function* properties(
  schema: Schema,
  at: string,
): Generator<{ at: string; name: string; schema: Schema }> {
  for (const [name, of] of Object.entries(schema.properties ?? {})) {
    yield { at, name, schema: of };
    yield* properties(of, `${at}/${name}`);
  }
  for (const each of [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])])
    yield* properties(each, at);
  if (schema.items !== undefined) yield* properties(schema.items, `${at}/*`);
}

test('fields are in snake_case, and no state, reference or flag has a second form of name', () => {
  const faults: string[] = [];
  for (const [schema, of] of Object.entries(schemas)) {
    for (const { at, name } of properties(of, schema)) {
      if (!/^[a-z][a-z0-9_]*$/.test(name)) faults.push(`${at}/${name}`);
      if (/^(state|tenant|endpoint|is_.*|.*_(until|since_time|num))$/.test(name)) {
        faults.push(`${at}/${name}`);
      }
    }
  }
  assert.deepEqual(faults, []);
});

test('every status is an enum of words in lower case', () => {
  let seen = 0;
  for (const [name, { enum: values }] of Object.entries(schemas)) {
    if (!name.endsWith('Status') || values === undefined) continue;
    seen += 1;
    for (const value of values) assert.match(String(value), /^[a-z_]+$/, name);
  }
  assert.ok(seen >= 8, `${seen} enums`);
});

test('every operation has an id of the form verb and noun, a text, examples, and a path in kebab-case', () => {
  const ids = operations.map(({ operation }) => operation.operationId);
  assert.equal(new Set(ids).size, ids.length);
  for (const { path, operation } of operations) {
    const { operationId, summary = '', description = '', requestBody, responses } = operation;
    assert.match(operationId, /^[a-z]+([A-Z][a-z]+)+$/, operationId);
    assert.ok(summary.length > 0 && description.length > 0, operationId);
    assert.match(path, /^\/[a-z0-9.-]+(\/(\{[a-z_]+\}|[a-z0-9-]+))*$/, path);
    const answers = Object.entries(responses).filter(([status]) => status.startsWith('2'));
    const bodies = [requestBody, ...answers.map(([, answer]) => answer)];
    for (const { example } of bodies.flatMap((body) => Object.values(body?.content ?? {}))) {
      assert.notEqual(example, undefined, `${operationId} has an example of each body`);
    }
  }
});

/** Lists in the order of a stream or a name, which have no other order. */
const FIXED_ORDER = new Set([
  'listEventTypes',
  'listRejectedEvents',
  'listBroadcasts',
  'listPlans',
  'listReplays',
]);

test('every page of a list has a limit, a cursor and an order', () => {
  let lists = 0;
  for (const { operation } of operations) {
    const { operationId, parameters = [] } = operation;
    const names = parameters.filter((each) => each.in === 'query').map(({ name }) => name);
    if (!operationId.startsWith('list') || !names.includes('cursor')) continue;
    lists += 1;
    assert.ok(names.includes('limit'), operationId);
    assert.equal(names.includes('order'), !FIXED_ORDER.has(operationId), operationId);
  }
  assert.ok(lists >= 12, `${lists} lists`);
});

test('filters have the names of fields, and times are half-open ranges', () => {
  for (const { operation } of operations) {
    for (const { name, in: place } of operation.parameters ?? []) {
      if (place !== 'query') continue;
      assert.match(name, /^[a-z][a-z0-9_]*(\[(gte|lt|contains)\])?$/, operation.operationId);
      assert.doesNotMatch(name, /^(state|type|endpoint|tenant|after|before)$/, name);
    }
  }
});

test('every POST takes an Idempotency-Key, and every PATCH a merge patch', () => {
  for (const { method, operation } of operations) {
    const { operationId, parameters = [], requestBody } = operation;
    if (method === 'patch') {
      const types = Object.keys(requestBody?.content ?? {}).toSorted();
      assert.deepEqual(types, ['application/json', 'application/merge-patch+json'], operationId);
    }
    if (method !== 'post' || operationId === 'createSession') continue;
    const headers = parameters.filter((each) => each.in === 'header');
    assert.ok(
      headers.some(({ name }) => name === 'idempotency-key'),
      operationId,
    );
  }
});

test('every item that is created or replaced can be changed by PATCH', () => {
  const patched = new Set(
    operations.filter(({ method }) => method === 'patch').map(({ path }) => path),
  );
  for (const { method, path } of operations) {
    if (method === 'put') assert.ok(patched.has(path), path);
  }
});
