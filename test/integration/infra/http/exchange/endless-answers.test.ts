/** Endless answers: whichever part never ends, the exchange ends within its bound of bytes. */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { limits } from '#domain/limits.ts';
import type { SendResult } from '#infra/http/client/sender.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { rawServer } from '../raw-server.ts';
import { send, senderTo } from '../send-once.ts';

const OK = 'HTTP/1.1 200 OK\r\n';
const HEADERS_TOO_LONG = 'the headers of the answer are longer than 16384 bytes';
const BODY_TOO_LONG = `no more than ${limits.responseBodyReadBytesMax} bytes of the body were read`;

interface Endless {
  start: string;
  /** Sent repeatedly. */
  more: string;
  /**
   * A part of the outcome or note; undefined: the status counts, and no more than its bound is
   * read.
   */
  says: string;
  ok: boolean;
}

const failed = { says: HEADERS_TOO_LONG, ok: false };
const cutOff = { says: BODY_TOO_LONG, ok: true };
const parts: Record<string, Endless> = {
  'empty lines': { start: '', more: '\r\n', ...failed },
  'a reason phrase': { start: 'HTTP/1.1 200 ', more: 'x', ...failed },
  'one header': { start: `${OK}x: `, more: 'x', ...failed },
  headers: { start: OK, more: 'x: 1\r\n', ...failed },
  'interim answers': { start: '', more: 'HTTP/1.1 103 E\r\nlink: </a>\r\n\r\n', ...failed },
  'a body without a length': { start: `${OK}\r\n`, more: 'x', ...cutOff },
  'a body with a length': {
    start: `${OK}content-length: 99999999999\r\n\r\n`,
    more: 'x',
    ...cutOff,
  },
  'a body of small chunks': {
    start: `${OK}transfer-encoding: chunked\r\n\r\n`,
    more: '1\r\nx\r\n',
    ...cutOff,
  },
  'an extension of a chunk': {
    start: `${OK}transfer-encoding: chunked\r\n\r\n1;`,
    more: 'x',
    ...cutOff,
  },
};

/** Writes as fast as the other side reads, until it closes. */
function writeEndlessly(socket: Socket, { start, more }: Endless): void {
  const block = Buffer.from(more.repeat(Math.ceil(16_384 / more.length)));
  const write = (): void => {
    while (!socket.destroyed && socket.write(block));
    if (!socket.destroyed) socket.once('drain', write);
  };
  socket.write(start);
  write();
}

async function answerOf(t: TestContext, part: Endless, isLenient: boolean): Promise<SendResult> {
  let open = 0;
  const port = await rawServer(t, (socket) => {
    open++;
    socket.once('close', () => open--);
    socket.once('data', () => writeEndlessly(socket, part));
  });
  const sender = senderTo(t, `http://127.0.0.1:${port}`, { isLenient });
  const result = await send(sender, AbortSignal.timeout(60_000));
  // The connection is closed too.
  await waitUntil(() => open === 0);
  return result;
}

for (const isLenient of [false, true]) {
  const client = isLenient ? 'the lenient client' : 'undici';
  for (const [what, part] of Object.entries(parts)) {
    test(`${client} reads ${what} without end no further than the bound`, async (t) => {
      const { outcome, note, responseBody } = await answerOf(t, part, isLenient);
      assert.equal(outcome.ok, part.ok);
      assert.equal(outcome.ok ? note : outcome.detail, part.says);
      assert.ok(responseBody.length <= limits.responseBodyKeptBytesMax);
    });
  }

  test(`${client} counts the status when trailers never end`, async (t) => {
    const start = `${OK}transfer-encoding: chunked\r\n\r\n0\r\n`;
    const { outcome, note } = await answerOf(t, { start, more: 'x: 1\r\n', ...cutOff }, isLenient);
    assert.deepEqual(outcome, { ok: true, status: 200 });
    assert.notEqual(note, undefined);
  });
}
