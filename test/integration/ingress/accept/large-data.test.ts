import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { limits } from '#domain/limits.ts';
import { IngressPlane } from '../ingress-plane.ts';

const SCHEMA = { items: { properties: { a: { type: 'integer' } } } };

/** Objects that each have their own name, the slowest form for a parser; over 64 KiB. */
function largeData(last: object): unknown[] {
  const objects: object[] = [];
  for (let i = 0; i < limits.schemaAtOnceBytesMax / 8; i++) objects.push({ [`n${i}`]: i });
  return [...objects, last];
}

async function start(t: TestContext): Promise<IngressPlane> {
  const plane = await IngressPlane.start(t);
  await plane.eventType('parts.listed', { schema: SCHEMA });
  return plane;
}

test('large data is checked against the schema of its type before the event is stored', async (t) => {
  const plane = await start(t);
  const good = await plane.post({ type: 'parts.listed', id: 'good', data: largeData({ a: 1 }) });
  assert.equal(good.status, 202);
  const data = largeData({ a: 'x' });
  const bad = await plane.post({ type: 'parts.listed', id: 'bad', data });
  assert.equal(bad.status, 422);
  assert.equal(bad.body.code, 'POSTHORN_EVENT_DATA_INVALID');
  const at = `/data/${data.length - 1}/a`;
  assert.deepEqual(bad.body.errors, [{ pointer: at, detail: 'must be an integer' }]);
  const ids = (await plane.stored()).map(({ head }) => head.id);
  assert.deepEqual(ids, ['good']);
});

test('each large item of a batch gets its own verdict', async (t) => {
  const plane = await start(t);
  const events = [{ a: 1 }, { a: 'x' }, { a: 2 }].map((last) => ({
    type: 'parts.listed',
    data: largeData(last),
  }));
  const { status, body } = await plane.batch({ events });
  assert.equal(status, 207);
  const statuses = body.results.map((result: { status: number }) => result.status);
  assert.deepEqual(statuses, [202, 422, 202]);
  assert.equal((await plane.stored()).length, 2);
});

test('rejects large data of a broadcast with POSTHORN_EVENT_DATA_INVALID', async (t) => {
  const plane = await start(t);
  const bad = await plane.broadcast({ type: 'parts.listed', data: largeData({ a: 'x' }) });
  assert.equal(bad.body.code, 'POSTHORN_EVENT_DATA_INVALID');
  const good = await plane.broadcast({ type: 'parts.listed', data: largeData({ a: 1 }) });
  assert.equal(good.status, 202);
});

test('the event loop serves other requests while large data is checked', async (t) => {
  const plane = await start(t);
  const order: string[] = [];
  const large = plane
    .post({ type: 'parts.listed', data: largeData({ a: 1 }) })
    .finally(() => order.push('large'));
  for (let n = 0; n < 5; n++) {
    const small = await plane.post({ type: 'parts.listed', data: [{ a: n }] });
    assert.equal(small.status, 202);
    order.push('small');
  }
  assert.equal((await large).status, 202);
  // The first check also starts the thread.
  assert.equal(order[0], 'small');
});
