/** URLs that an earlier version stored in another form. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from '../worker.ts';

test('a stored URL with a trailing dot and an empty query is delivered to', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep', { url: `http://localhost.:${worker.receiver.port}/p?` });
  const { delivery } = await worker.publishDelivery('acme', 'ep');
  await worker.recordsUntil(delivery.id, 'delivered');
  const [request] = worker.receiver.requests;
  assert.equal(request?.url, '/p?');
  assert.equal(request.headers['host'], `localhost:${worker.receiver.port}`);
});

test('a stored URL with an impossible host name fails with the reason', async (t) => {
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep', { url: 'https://a..example/' });
  const { delivery } = await worker.publishDelivery('acme', 'ep');
  const records = await worker.recordsUntil(delivery.id, 'failed');
  const { failure, detail } = records.at(-1)?.attempt ?? {};
  assert.equal(failure, 'dns');
  assert.equal(
    detail,
    'the URL has a host name with an empty label (two dots in a row): change it',
  );
});
