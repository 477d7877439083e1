import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waitUntil } from '#testkit/wait-until.ts';
import { WebhookReceiver } from '#testkit/webhook-receiver.ts';

test('the receiver keeps its requests and answers by script', async (t) => {
  const receiver = await WebhookReceiver.start();
  t.after(() => receiver.close());
  receiver
    .on('/fails-once', (_request, nth) => ({ status: nth === 1 ? 503 : 200, body: `${nth}` }))
    .on('/reset', { cut: 'reset' })
    .on('/garbage', { raw: 'not http at all\r\n\r\n' })
    .on('/endless', { endless: true })
    .on('/trickle', { trickleMs: 1, bytes: 5 })
    .on('/hang', { hang: 'request' })
    .on('/half', { hang: 'body' });
  const body = Buffer.from([0, 255, 10]);
  const post = (path: string, init: RequestInit = {}) =>
    fetch(receiver.url(path), { method: 'POST', body, ...init });

  assert.equal((await post('/fails-once?a=1', { headers: { 'X-A': 'b' } })).status, 503);
  assert.equal(await (await post('/fails-once')).text(), '2');
  const [first] = await receiver.waitFor(1, '/fails-once');
  assert.equal(first?.url, '/fails-once?a=1');
  assert.equal(first?.headers['x-a'], 'b');
  assert.deepEqual(first?.body, body);
  assert.equal((await post('/other')).status, 200);
  await assert.rejects(post('/reset'));
  await assert.rejects(post('/garbage'));
  assert.equal(await (await post('/trickle')).text(), 'xxxxx');

  const endless = await post('/endless');
  const reader = (endless.body as ReadableStream<Uint8Array>).getReader();
  for (let bytes = 0; bytes < 1_000_000;) bytes += (await reader.read()).value?.length ?? 0;
  await reader.cancel();
  const half = await post('/half');
  assert.equal(half.status, 200);
  const hanging = post('/hang');
  await receiver.waitFor(1, '/hang');
  await receiver.close();
  await assert.rejects(hanging);
  await assert.rejects(half.text());
});

test('waitUntil returns the value, or fails with the missing condition', async () => {
  let polls = 0;
  assert.equal(await waitUntil(() => (++polls > 2 ? 'there' : undefined)), 'there');
  await assert.rejects(
    waitUntil(() => Promise.reject(new Error('not open')), { what: 'the door', deadlineMs: 20 }),
    /still not: the door \(last: not open\)/,
  );
});
