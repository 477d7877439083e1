/** Headers that describe a body, on a listening server: `inject` would not parse a request. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingHttpHeaders, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import zlib from 'node:zlib';
import { systemClock } from '#infra/system-clock.ts';
import { limits } from '#domain/limits.ts';
import { createApp } from '#infra/http/server/app.ts';
import { createLog } from '#infra/telemetry/log.ts';

const settings = {
  readTimeoutMs: 15_000,
  idleTimeoutMs: 72_000,
  writeTimeoutMs: 30_000,
};
const BODY = Buffer.from('{"name":"bolt"}');

interface Answer {
  status: number | undefined;
  headers: IncomingHttpHeaders;
  // oxlint-disable-next-line typescript/no-explicit-any -- assertions check the shape
  body: any;
}

/** Starts an application that answers with the body it read. */
async function start(t: TestContext) {
  const app = createApp({ clock: systemClock, settings, log: createLog('silent') });
  app.post('/echo', (incoming) => ({ read: incoming.body ?? null }));
  t.after(() => app.close());
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  return async (body: Buffer, headers: Record<string, string>): Promise<Answer> => {
    // For a content type alone, Fastify requires a parser.
    const type = body.length === 0 ? {} : { 'content-type': 'application/json' };
    const outgoing = request({
      port,
      host: '127.0.0.1',
      path: '/echo',
      method: 'POST',
      headers: { ...type, ...headers },
    });
    // The server may answer, and close, before it has read the whole body.
    outgoing.on('error', () => undefined);
    outgoing.end(body);
    const [answer] = await once(outgoing, 'response');
    const text = Buffer.concat(await answer.toArray()).toString();
    return { status: answer.statusCode, headers: answer.headers, body: JSON.parse(text) };
  };
}

test('a body with a content-encoding is decoded', async (t) => {
  const post = await start(t);
  const encoded = zlib.brotliCompressSync(zlib.gzipSync(BODY));
  for (const framing of [{}, { 'transfer-encoding': 'chunked' }]) {
    const answer = await post(encoded, { 'content-encoding': 'gzip, br', ...framing });
    assert.deepEqual(answer.body, { read: { name: 'bolt' } });
  }
  assert.equal((await post(BODY, { 'content-encoding': 'identity' })).status, 200);
});

test('rejects an unknown content-encoding with 415 that names the accepted ones', async (t) => {
  const post = await start(t);
  const { status, body, headers } = await post(BODY, { 'content-encoding': 'compress' });
  assert.equal(status, 415);
  assert.equal(body.code, 'POSTHORN_CONTENT_CODING_UNSUPPORTED');
  assert.equal(headers['accept-encoding'], 'gzip, deflate, br, zstd');
});

test('rejects a damaged content-encoding with 400 that names the header', async (t) => {
  const post = await start(t);
  const { status, body } = await post(BODY, { 'content-encoding': 'gzip' });
  assert.equal(status, 400);
  assert.equal(body.errors[0].pointer, '#header/content-encoding');
});

test('rejects a body that is too large, encoded or decoded, with 413', async (t) => {
  const post = await start(t);
  const decoded = Buffer.alloc(limits.requestBodyBytesMax + 1, ' ');
  const bomb = zlib.gzipSync(decoded);
  assert.equal((await post(bomb, { 'content-encoding': 'gzip' })).status, 413);
  // Empty members decode to nothing, however many there are.
  const member = zlib.gzipSync('');
  const nothing = Buffer.alloc(limits.requestBodyBytesMax + member.length, member);
  for (const framing of [{}, { 'transfer-encoding': 'chunked' }]) {
    const answer = await post(nothing, { 'content-encoding': 'gzip', ...framing });
    assert.equal(answer.status, 413);
  }
});

test('a JSON body may name UTF-8 as its charset, and no other', async (t) => {
  const post = await start(t);
  for (const charset of ['utf-8', 'UTF-8', '"utf-8"', 'us-ascii', 'utf8; v=1']) {
    const headers = { 'content-type': `application/json; charset=${charset}` };
    assert.deepEqual((await post(BODY, headers)).body, { read: { name: 'bolt' } }, charset);
  }
  for (const charset of ['utf-16', '"iso-8859-1"', 'utf-8; charset=utf-16', '']) {
    const headers = { 'content-type': `application/json; x="a;b"; charset=${charset}` };
    const { status, body } = await post(BODY, headers);
    assert.equal(status, 415, charset);
    assert.equal(body.code, 'POSTHORN_MEDIA_TYPE_UNSUPPORTED');
  }
});

test('rejects a body with a content-range', async (t) => {
  const post = await start(t);
  const { status, body } = await post(BODY, { 'content-range': 'bytes 0-14/90' });
  assert.equal(status, 400);
  assert.equal(body.errors[0].pointer, '#header/content-range');
});

test('rejects a MIME transfer encoding that changes bytes', async (t) => {
  const post = await start(t);
  const base64 = Buffer.from(BODY.toString('base64'));
  assert.equal((await post(base64, { 'content-transfer-encoding': 'base64' })).status, 415);
  assert.equal((await post(BODY, { 'content-transfer-encoding': '8bit' })).status, 200);
});

test('rejects a transfer coding in addition to chunked with 501', async (t) => {
  const post = await start(t);
  const { status, body } = await post(BODY, { 'transfer-encoding': 'gzip, chunked' });
  assert.equal(status, 501);
  assert.equal(body.code, 'POSTHORN_TRANSFER_CODING_UNSUPPORTED');
});

test('headers that describe a body are ignored when there is no body', async (t) => {
  const post = await start(t);
  const headers = { 'content-encoding': 'aes', 'content-length': '0' };
  assert.deepEqual((await post(Buffer.alloc(0), headers)).body, { read: null });
});
