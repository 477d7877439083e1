import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ControlPlane, startControlPlane } from '../control-plane.ts';

const order = { type: 'object', required: ['id'], properties: { id: { type: 'string' } } };

function plan(plane: ControlPlane, $defs: object): ReturnType<ControlPlane['call']> {
  const body = { format: 'json_schema', document: { $defs } };
  return plane.call('POST', '/v1/event-type-imports', body);
}

test('an import is planned, and changes nothing before it is applied', async (t) => {
  const plane = await startControlPlane(t);
  await plane.call('PUT', '/v1/event-types/order.paid', { schema: order, sensitive: true });
  await plane.call('PUT', '/v1/event-types/order.kept', {
    schema: order,
    compatibility: 'backward',
  });
  const planned = await plan(plane, {
    'order.created': { ...order, description: 'New.', examples: [{ id: 'a' }] },
    'order.paid': { ...order, required: [] },
    'order.kept': { ...order, required: ['id', 'b'] },
    'order.bad': { type: 'nothing' },
    'posthorn.x': {},
  });
  assert.equal(planned.status, 201, planned.text);
  const rows = (body: { items: object[] }) =>
    body.items.map((item) => Object.values(item as Record<string, unknown>).slice(0, 3));
  assert.deepEqual(rows(planned.body), [
    ['order.created', 'create', true],
    ['order.paid', 'update', true],
    ['order.kept', 'refuse', false],
    ['order.bad', 'refuse', false],
    ['posthorn.x', 'refuse', false],
  ]);
  assert.equal(planned.body.items[2].errors[0].pointer, '/schema/required');
  assert.equal(planned.body.items[3].errors[0].pointer, '/schema/type');
  assert.equal((await plane.call('GET', '/v1/event-types/order.created')).status, 404);
  const path = `/v1/event-type-imports/${String(planned.body.id)}`;
  const applied = await plane.call('POST', `${path}/apply`);
  assert.equal(applied.status, 200, applied.text);
  assert.equal(applied.body.status, 'applied');
  const results = applied.body.items.map(({ result }: { result: string }) => result);
  assert.deepEqual(results, ['applied', 'applied', 'refused', 'refused', 'refused']);
  const created = await plane.call('GET', '/v1/event-types/order.created');
  assert.equal(created.body.description, 'New.');
  assert.deepEqual(created.body.samples, [{ id: 'a' }]);
  const paid = await plane.call('GET', '/v1/event-types/order.paid');
  assert.deepEqual([paid.body.sensitive, paid.body.version], [true, 2]);
  const again = await plane.call('POST', `${path}/apply`);
  assert.deepEqual(again.body, applied.body);
  assert.deepEqual((await plane.call('GET', path)).body, applied.body);
});

test('a type that changed after the plan stays as it is', async (t) => {
  const plane = await startControlPlane(t);
  const planned = await plan(plane, { a: order, b: order });
  await plane.call('PUT', '/v1/event-types/a', { description: 'mine' });
  // As after a crash in the middle of the import.
  await plane.call('PUT', '/v1/event-types/b', { schema: order });
  const path = `/v1/event-type-imports/${String(planned.body.id)}/apply`;
  const [one, other] = await Promise.all([plane.call('POST', path), plane.call('POST', path)]);
  for (const { body } of [one, other]) {
    assert.deepEqual(
      body.items.map(({ result }: { result: string }) => result),
      ['changed_meanwhile', 'applied'],
    );
  }
  assert.equal((await plane.call('GET', '/v1/event-types/a')).body.description, 'mine');
});

for (const format of ['openapi', 'asyncapi', 'json_schema']) {
  test(`the import of an export as ${format} changes nothing`, async (t) => {
    const plane = await startControlPlane(t);
    const tree = {
      properties: { next: { $ref: '#' }, id: { $ref: '#/$defs/id' } },
      $defs: { id: { type: 'string' } },
    };
    await plane.call('PUT', '/v1/event-types/order.created', {
      schema: tree,
      description: 'An order.',
      samples: [{ id: 'x' }],
      deprecation: { successor: 'order.placed' },
    });
    await plane.call('PUT', '/v1/event-types/a%20b', {});
    const { body: document } = await plane.call('GET', `/v1/event-type-exports/${format}`);
    const planned = await plane.call('POST', '/v1/event-type-imports', { format, document });
    assert.equal(planned.status, 201, planned.text);
    assert.deepEqual(
      planned.body.items.map(({ event_type, action }: Record<string, string>) => [
        event_type,
        action,
      ]),
      [
        ['a b', 'unchanged'],
        ['order.created', 'unchanged'],
      ],
    );
  });
}

test('exports have the types that are named, and TypeScript', async (t) => {
  const plane = await startControlPlane(t);
  await plane.call('PUT', '/v1/event-types/a', { schema: order });
  await plane.call('PUT', '/v1/event-types/b', {});
  const { body } = await plane.call('GET', '/v1/event-type-exports/openapi?event_type=a');
  assert.deepEqual(Object.keys(body.webhooks), ['a']);
  const { text, headers } = await plane.call('GET', '/v1/event-type-exports/typescript');
  assert.equal(headers['content-type'], 'text/plain; charset=utf-8');
  assert.match(text, /export type A = \{ "id": string; \[name: string\]: unknown; \};/);
  assert.equal((await plane.call('GET', '/v1/event-type-exports/yaml')).status, 400);
});

test('samples and the deprecation are checked and kept', async (t) => {
  const plane = await startControlPlane(t);
  const put = (body: object) => plane.call('PUT', '/v1/event-types/a', body);
  const refused = await put({ schema: order, samples: [{ id: 'a' }, { id: 1 }] });
  assert.equal(refused.status, 400);
  assert.equal(refused.body.errors[0].pointer, '/samples/1/id');
  const large = await put({ samples: ['x'.repeat(40_000)] });
  assert.equal(large.body.errors[0].pointer, '/samples');
  const ends = await put({
    deprecation: { deprecated_at: '2026-02-01T00:00:00Z', ends_at: '2026-01-01T00:00:00Z' },
  });
  assert.equal(ends.body.errors[0].pointer, '/deprecation/ends_at');
  const made = await put({ samples: [{ $a: { 'b.c': 1 } }], deprecation: { successor: 'b' } });
  assert.deepEqual(made.body.samples, [{ $a: { 'b.c': 1 } }]);
  assert.equal(made.body.deprecation.successor, 'b');
  const patched = await plane.call('PATCH', '/v1/event-types/a', { description: 'x' });
  assert.deepEqual(patched.body.deprecation, made.body.deprecation);
  assert.deepEqual(patched.body.samples, made.body.samples);
  const ended = await plane.call('PATCH', '/v1/event-types/a', { deprecation: null, samples: [] });
  assert.deepEqual([ended.body.deprecation, ended.body.samples], [null, []]);
});

test('rejects an import by a tenant, of an unknown id, and of no document', async (t) => {
  const plane = await startControlPlane(t);
  assert.equal((await plane.call('GET', '/v1/event-type-imports/imp_1')).status, 404);
  assert.equal((await plane.call('POST', '/v1/event-type-imports/imp_1/apply')).status, 404);
  const none = await plan(plane, {});
  assert.equal(none.status, 400);
  assert.equal(none.body.errors[0].pointer, '/document');
});
