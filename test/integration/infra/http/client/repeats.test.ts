/**
 * Requests sent twice within an attempt: the results account for every request that the receiver
 * counts.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo, Server, Socket } from 'node:net';
import { createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { createServer as createTlsServer, createSecureContext } from 'node:tls';
import type { SendResult, Sender } from '#infra/http/client/sender.ts';
import { makeCertificate } from '../../../../kit/network/certificates.ts';
import { listenFor } from '../raw-server.ts';
import { failureOf, send, senderTo } from '../send-once.ts';

const ANSWER = 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n';

interface Way {
  name: string;
  tls: boolean;
  lenient: boolean;
}
const ways: Way[] = [
  { name: 'plain', tls: false, lenient: false },
  { name: 'TLS', tls: true, lenient: false },
  { name: 'plain, lenient client', tls: false, lenient: true },
  { name: 'TLS, lenient client', tls: true, lenient: true },
];

/** Answers the nth request of a connection; both count from 0. */
type OnRequest = (socket: Socket, nth: number, connection: number) => void;

interface Receiver {
  sender: Sender;
  /** Number of complete requests received. */
  requests: () => number;
}

async function startReceiver(t: TestContext, way: Way, onRequest: OnRequest): Promise<Receiver> {
  let connections = 0;
  let requests = 0;
  const onSocket = (socket: Socket): void => {
    const connection = connections++;
    let nth = 0;
    let received = '';
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1');
      for (let end = received.indexOf('\r\n\r\n{}'); end !== -1;) {
        received = received.slice(end + 6);
        end = received.indexOf('\r\n\r\n{}');
        requests++;
        onRequest(socket, nth++, connection);
      }
    });
  };
  const issuer = makeCertificate();
  const server: Server = way.tls ? createTlsServer(issuer, onSocket) : createServer(onSocket);
  const port = await listenFor(t, server);
  const origin = `${way.tls ? 'https' : 'http'}://localhost:${port}`;
  const secureContext = createSecureContext({ ca: issuer.cert });
  const sender = senderTo(t, origin, { isLenient: way.lenient, secureContext });
  return { sender, requests: () => requests };
}

/** Number of requests that the results report. */
const requestsIn = (results: SendResult[]): number =>
  results.reduce((sum, { repeatedAtMs }) => sum + (repeatedAtMs === undefined ? 1 : 2), 0);

const closes: [what: string, close: (socket: Socket) => void][] = [
  ['ends it', (socket) => socket.end()],
  ['destroys it', (socket) => socket.destroy()],
];
const begun: [what: string, bytes: string][] = [
  ['a byte', 'H'],
  ['an empty line', '\r\n'],
  ['half a status line', 'HTTP/1.1 2'],
  ['half its headers', 'HTTP/1.1 200 OK\r\ncontent-le'],
  ['103 Early Hints', 'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n'],
  ['103 Early Hints and half a status line', 'HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1'],
];

for (const way of ways) {
  for (const [what, close] of closes) {
    test(`a request to a receiver that reads it and ${what} is not repeated on a new connection (${way.name})`, async (t) => {
      const { sender, requests } = await startReceiver(t, way, (socket) => close(socket));
      const result = await send(sender);
      assert.equal(failureOf(result).kind, 'reset');
      assert.equal(requests(), requestsIn([result]));
      assert.equal(requests(), 1);
    });

    test(`a request on a kept-alive connection is repeated once and reported when its receiver ${what} (${way.name})`, async (t) => {
      const { sender, requests } = await startReceiver(t, way, (socket, nth, connection) => {
        if (connection === 0 && nth === 1) close(socket);
        else socket.write(ANSWER);
      });
      const first = await send(sender);
      const second = await send(sender);
      assert.deepEqual([first.outcome.ok, second.outcome.ok], [true, true]);
      assert.equal(first.repeatedAtMs, undefined);
      assert.notEqual(second.repeatedAtMs, undefined);
      assert.equal(requests(), 3);
    });

    test(`a receiver that ${what} on the repeat too gets no third request (${way.name})`, async (t) => {
      const { sender, requests } = await startReceiver(t, way, (socket, nth, connection) => {
        if (connection === 0 && nth === 0) socket.write(ANSWER);
        else close(socket);
      });
      const results = [await send(sender), await send(sender)];
      assert.equal(failureOf(results[1] as SendResult).kind, 'reset');
      assert.equal(requests(), requestsIn(results));
      assert.equal(requests(), 3);
    });
  }

  for (const [what, bytes] of begun) {
    for (const before of [0, 1, 3]) {
      test(`a request is not repeated when its answer ends after ${what}, after ${before} exchanges (${way.name})`, async (t) => {
        const { sender, requests } = await startReceiver(t, way, (socket, nth) => {
          if (nth < before) socket.write(ANSWER);
          else socket.end(bytes);
        });
        const results: SendResult[] = [];
        for (let n = 0; n <= before; n++) results.push(await send(sender));
        const last = results.at(-1) as SendResult;
        assert.equal(failureOf(last).kind, 'reset');
        assert.equal(last.repeatedAtMs, undefined);
        assert.equal(requests(), requestsIn(results));
      });
    }
  }
}

test('a request is not repeated when its time limit has passed', async (t) => {
  const limit = new AbortController();
  const { sender, requests } = await startReceiver(t, ways[0] as Way, (socket, nth) => {
    if (nth === 0) socket.write(ANSWER);
    else limit.abort();
  });
  await send(sender);
  const { outcome, repeatedAtMs } = await send(sender, limit.signal);
  assert.ok(!outcome.ok);
  assert.equal(outcome.kind, 'timeout');
  assert.equal(repeatedAtMs, undefined);
  assert.equal(requests(), 2);
});

test('a repeat that cannot be sent is not reported as sent', async (t) => {
  let requests = 0;
  const server = createServer((socket) => {
    socket.on('data', (chunk: Buffer) => {
      if (!chunk.includes('{}')) return;
      if (++requests === 1) socket.write(ANSWER);
      else {
        server.close();
        socket.destroy();
      }
    });
  });
  const closed = once(server, 'close');
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const sender = senderTo(t, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  await send(sender);
  const { outcome, repeatedAtMs } = await send(sender);
  await closed;
  assert.ok(!outcome.ok);
  assert.deepEqual([outcome.kind, repeatedAtMs, requests], ['connect', undefined, 2]);
});
