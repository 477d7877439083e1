/** Encoded events, over HTTP and over NATS: stored and compared by their decoded content. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import zlib from 'node:zlib';
import { headers } from '@nats-io/nats-core';
import { IngressPlane } from '../ingress-plane.ts';

const EVENT = { id: 'order-7', type: 'order.created', data: { total: 12.5 } };
const BINARY_MODE = {
  'ce-specversion': '1.0',
  'ce-id': 'a-1',
  'ce-source': '/desk',
  'ce-type': 'note.written',
  'content-type': 'text/plain',
};

test('the same event in another content coding is the same event', async (t) => {
  const plane = await IngressPlane.start(t);
  const text = JSON.stringify(EVENT);
  const first = await plane.post(text);
  const coded = {
    gzip: zlib.gzipSync(text),
    deflate: zlib.deflateSync(text),
    br: zlib.brotliCompressSync(text),
    zstd: zlib.zstdCompressSync(text),
  };
  for (const [coding, body] of Object.entries(coded)) {
    const answer = await plane.post(body, { headers: { 'content-encoding': coding } });
    assert.deepEqual(answer.body, first.body);
    assert.equal(answer.headers['idempotency-replayed'], 'true', coding);
  }
  const [event, ...more] = await plane.stored();
  assert.deepEqual(more, []);
  assert.deepEqual(JSON.parse(String(event?.data)), EVENT.data);
});

test('a binary CloudEvent is stored decoded', async (t) => {
  const plane = await IngressPlane.start(t);
  const gzip = { ...BINARY_MODE, 'content-encoding': 'gzip' };
  const answer = await plane.post(zlib.gzipSync('a note'), { headers: gzip });
  assert.equal(answer.status, 202);
  const [event] = await plane.stored();
  assert.equal(String(event?.data), 'a note');
  assert.equal(event?.head.contentType, 'text/plain');
});

test('batches and broadcasts are decoded too', async (t) => {
  const plane = await IngressPlane.start(t);
  const encoded = { 'content-encoding': 'gzip' };
  const batch = zlib.gzipSync(JSON.stringify({ events: [EVENT] }));
  for (const path of ['/v1/tenants/acme/events/batch', '/v1/events/batch']) {
    const answer = await plane.post(batch, { path, headers: encoded });
    assert.equal(answer.body.accepted, 1, path);
  }
  const one = zlib.gzipSync(JSON.stringify({ ...EVENT, id: 'order-8' }));
  assert.equal((await plane.post(one, { path: '/v1/events', headers: encoded })).status, 202);
});

test('a message over NATS is decoded or rejected as over HTTP', async (t) => {
  const plane = await IngressPlane.start(t);
  const nc = await plane.core.connect();
  const ask = async (body: Uint8Array | string, named: Record<string, string>) => {
    const hdrs = headers();
    for (const [name, value] of Object.entries(named)) hdrs.set(name, value);
    const options = { headers: hdrs, timeout: 10_000 };
    const reply = await nc.request('in.acme.note.written', body, options);
    // oxlint-disable-next-line typescript/no-explicit-any -- assertions check the shape
    return { body: reply.json<any>(), header: (name: string) => reply.headers?.get(name) };
  };
  const { 'content-type': _, ...attributes } = BINARY_MODE;
  const stored = await ask(zlib.zstdCompressSync('{"n":1}'), {
    ...attributes,
    'Content-Encoding': 'zstd',
  });
  assert.equal(stored.body.status, 'accepted');
  assert.equal(String((await plane.stored())[0]?.data), '{"n":1}');

  const unknown = await ask('1', { 'content-encoding': 'compress' });
  assert.equal(unknown.body.status, 415);
  assert.equal(unknown.header('Accept-Encoding'), 'gzip, deflate, br, zstd');
  assert.equal((await ask('1', { 'content-encoding': 'br' })).body.status, 400);
  assert.equal((await ask('1', { 'content-range': 'bytes 0-0/2' })).body.status, 400);
  const utf16 = await ask('1', { 'content-type': 'application/json; charset=utf-16' });
  assert.equal(utf16.body.status, 415);
  // Encoded it is smaller than the largest body, decoded it is not.
  const bomb = zlib.brotliCompressSync(Buffer.alloc(8 * 1024 * 1024, 'x'));
  assert.equal((await ask(bomb, { 'content-encoding': 'br' })).body.status, 413);
  assert.equal((await plane.stored()).length, 1);
});
