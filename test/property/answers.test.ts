/**
 * Randomly composed answers: either client reads them, and none of them ends as an unexpected
 * error.
 */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { AnswerError, AnswerReader } from '#infra/http/exchange/answer-reader.ts';
import { rawServer } from '../integration/infra/http/raw-server.ts';
import { send, senderTo } from '../integration/infra/http/send-once.ts';

const pieces = [
  'HTTP/1.1 200 OK\r\n',
  'HTTP/1.0 200 OK\r\n',
  'HTTP/1.1 204 N\r\n',
  'HTTP/1.1 000 N\r\n',
  'HTTP/1.1 100 Continue\r\n\r\n',
  'HTTP/1.1 103 E\r\n\r\n',
  'HTTP/1.1 101 S\r\n\r\n',
  'HTTP/1.1 101 S\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n',
  'content-length: 2\r\n',
  'content-length: 0\r\n',
  'content-length: 9999\r\n',
  'transfer-encoding: chunked\r\n',
  'connection: close\r\n',
  'connection: upgrade\r\n',
  'upgrade: h2c\r\n',
  'keep-alive: timeout=0\r\n',
  '__proto__: x\r\n',
  'constructor: y\r\n',
  '\r\n',
  '\n',
  '\r',
  '\0',
  ' x\r\n',
  'ok',
  '2\r\nok\r\n',
  '0\r\n\r\n',
  'zz\r\n',
];
const arbitraryAnswer = fc
  .array(fc.oneof(fc.constantFrom(...pieces), fc.string({ unit: 'binary', maxLength: 3 })), {
    maxLength: 10,
  })
  .map((parts) => Buffer.from(parts.join(''), 'latin1'));

/** The calls of a reader for an answer in these chunks, bodies joined. */
function readIn(chunks: Buffer[]): string[] {
  const events: string[] = [];
  const reader = new AnswerReader({
    onHead: (status, headers) => events.push(JSON.stringify([status, headers]), ''),
    onBody: (chunk) => (events[events.length - 1] += chunk.toString('latin1')),
    onEnd: () => events.push('end'),
  });
  try {
    for (const chunk of chunks) {
      reader.feed(chunk);
      if (events.at(-1) === 'end') break;
    }
  } catch (error) {
    assert.ok(error instanceof AnswerError, String(error));
    events.push(error.code);
  }
  return events;
}

test('an answer is read in the same way, however its bytes are split', () => {
  const property = fc.property(arbitraryAnswer, (answer) => {
    const bytes = Array.from({ length: answer.length }, (_, n) => answer.subarray(n, n + 1));
    assert.deepEqual(readIn(bytes), readIn([answer]));
  });
  fc.assert(property, { numRuns: 2000 });
});

test('no answer is an unexpected fault, and the results account for every request', async (t) => {
  let answer = Buffer.alloc(0);
  let requests = 0;
  const port = await rawServer(t, (socket: Socket) => {
    socket.on('data', () => {
      requests++;
      socket.end(answer);
    });
  });
  for (const isLenient of [false, true]) {
    const property = fc.asyncProperty(arbitraryAnswer, async (bytes) => {
      answer = bytes;
      const before = requests;
      const sender = senderTo(t, `http://127.0.0.1:${port}`, { isLenient });
      const { outcome, repeatedAtMs } = await send(sender);
      sender.close();
      assert.ok(outcome.ok || outcome.kind !== 'unexpected', JSON.stringify(outcome));
      assert.equal(repeatedAtMs, undefined);
      assert.equal(requests, before + 1);
    });
    await fc.assert(property, { numRuns: 150 });
  }
});
