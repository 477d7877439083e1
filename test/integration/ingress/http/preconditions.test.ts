import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IngressPlane } from '../ingress-plane.ts';

test('rejects a publish with 412 when a condition names an ETag, and stores nothing', async (t) => {
  const plane = await IngressPlane.start(t);
  const event = { type: 'order.created', data: 1 };
  const requests = [
    ['/v1/tenants/acme/events', event],
    ['/v1/tenants/acme/events/batch', { events: [event] }],
    ['/v1/events', event],
    ['/v1/events/batch', { events: [event] }],
  ] as const;
  for (const [path, body] of requests) {
    const post = (headers: Record<string, string>) =>
      plane.post(JSON.stringify(body), { path, headers });
    for (const headers of [{ 'if-match': '"3"' }, { 'if-none-match': '*' }]) {
      const refused = await post(headers);
      assert.equal(refused.status, 412, `${path}: ${JSON.stringify(refused.body)}`);
      assert.equal(refused.body.code, 'POSTHORN_PRECONDITION_FAILED');
    }
    assert.equal((await post({ 'if-match': 'no tag' })).status, 400, path);
  }
  assert.equal((await plane.stored()).length, 0);
  const passed = await plane.post(JSON.stringify(event), {
    headers: { 'if-match': '*', 'if-none-match': '"3"' },
  });
  assert.equal(passed.status, 202);
});
