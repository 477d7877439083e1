/** Which connection a request uses. */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { waitUntil } from '#testkit/wait-until.ts';
import { rawServer } from '../raw-server.ts';
import { send, senderTo } from '../send-once.ts';

test('requests reach a receiver that closes each connection after its answer', async (t) => {
  const port = await rawServer(t, (socket) => {
    socket.once('data', () => {
      socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
    });
  });
  const sender = senderTo(t, `http://127.0.0.1:${port}`);
  const inTurn = async (): Promise<void> => {
    for (let n = 0; n < 50; n++) {
      const { outcome } = await send(sender);
      assert.deepEqual(outcome, { ok: true, status: 200 });
    }
  };
  await Promise.all([inTurn(), inTurn(), inTurn()]);
});

for (const isLenient of [false, true]) {
  const client = isLenient ? 'the lenient client' : 'undici';
  test(`a connection is not reused by ${client} when the receiver answered before it read the request`, async (t) => {
    let connections = 0;
    const port = await rawServer(t, (socket) => {
      connections++;
      socket.once('data', () => {
        socket.pause();
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
      });
    });
    const sender = senderTo(t, `http://127.0.0.1:${port}`, { isLenient });
    // More than the buffers of both sides hold.
    const body = Buffer.alloc(32 * 1024 * 1024);
    for (let n = 1; n <= 3; n++) {
      const signal = AbortSignal.timeout(20_000);
      const { outcome } = await sender.send({ path: '/', headers: [], body, signal });
      assert.deepEqual(outcome, { ok: true, status: 200 });
      assert.equal(connections, n);
    }
  });
}

test('there are as many connections as concurrent exchanges, and they are reused in turn', async (t) => {
  const sockets = new Set<Socket>();
  let answer: (() => void)[] = [];
  const port = await rawServer(t, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('data', () => {
      answer.push(() => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'));
    });
  });
  const sender = senderTo(t, `http://127.0.0.1:${port}`);
  const round = async (requests: number): Promise<void> => {
    const results = Array.from({ length: requests }, () => send(sender));
    await waitUntil(() => answer.length === requests);
    for (const each of answer) each();
    answer = [];
    for (const { outcome } of await Promise.all(results)) assert.equal(outcome.ok, true);
  };
  await round(3);
  await round(3);
  await round(2);
  assert.equal(sockets.size, 3);
  sender.close();
  await waitUntil(() => sockets.size === 0);
});
