/** Equal faults of a receiver have equal texts, independent of process, port and time. */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import { makeCertificate } from '../../../../kit/network/certificates.ts';
import { closedPort, listenFor, rawServer } from '../raw-server.ts';
import { failureOf, send, senderTo } from '../send-once.ts';

type Receiver = (socket: Socket) => void;

const closes: [what: string, receiver: Receiver][] = [
  ['ends without an answer', (socket) => socket.once('data', () => socket.end())],
  ['resets without an answer', (socket) => socket.once('data', () => socket.resetAndDestroy())],
  ['resets before it reads', (socket) => socket.resetAndDestroy()],
  ['ends before it reads', (socket) => socket.end()],
  ['ends in its status line', (socket) => socket.once('data', () => socket.end('HTTP/1.1 20'))],
  [
    'ends in its headers',
    (socket) => socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nx')),
  ],
];
for (const [what, receiver] of closes) {
  test(`a receiver that ${what} has the text of a closed connection`, async (t) => {
    const port = await rawServer(t, receiver);
    const { kind, detail } = failureOf(await send(senderTo(t, `http://127.0.0.1:${port}`)));
    assert.equal(kind, 'reset');
    assert.equal(detail, 'the receiver closed the connection without a complete answer');
  });
}

const notHttp = ['this is not HTTP\r\n\r\n', 'SSH-2.0-OpenSSH_9.6\r\n', 'HTTP/1.1 two OK\r\n\r\n'];
for (const answer of [...notHttp, '\u0000\u0001\u0002\r\n', 'HTTP/1.1 000 OK\r\n\r\n']) {
  test(`an answer that begins with ${JSON.stringify(answer)} is not valid HTTP`, async (t) => {
    const port = await rawServer(t, (socket) => socket.once('data', () => socket.write(answer)));
    const { kind, detail } = failureOf(await send(senderTo(t, `http://127.0.0.1:${port}`)));
    assert.deepEqual([kind, detail], ['bad_response', 'the answer is not valid HTTP']);
  });
}

test('a refused connection has one text for all ports and names', async (t) => {
  for (const host of ['127.0.0.1', 'localhost']) {
    const result = await send(senderTo(t, `http://${host}:${await closedPort()}`));
    assert.equal(failureOf(result).detail, 'the connection was refused (ECONNREFUSED)');
  }
});

test('TLS to a plain-text port has one text, without a thread number', async (t) => {
  const answer = 'HTTP/1.1 400 Bad Request\r\n\r\n';
  for (let n = 0; n < 3; n++) {
    const port = await rawServer(t, (socket) => socket.once('data', () => socket.write(answer)));
    const { kind, detail } = failureOf(await send(senderTo(t, `https://127.0.0.1:${port}`)));
    assert.deepEqual([kind, detail], ['tls', 'TLS failed (ERR_SSL_WRONG_VERSION_NUMBER)']);
  }
});

test('an untrusted certificate has one text for all hosts', async (t) => {
  const port = await listenFor(t, createTlsServer(makeCertificate()));
  for (const host of ['127.0.0.1', 'localhost']) {
    const { kind, detail } = failureOf(await send(senderTo(t, `https://${host}:${port}`)));
    assert.equal(kind, 'tls');
    assert.equal(detail, 'the certificate is refused (DEPTH_ZERO_SELF_SIGNED_CERT)');
  }
});

test('a receiver that closes during the TLS handshake has the text of a closed connection', async (t) => {
  for (const close of ['end', 'resetAndDestroy'] as const) {
    const port = await rawServer(t, (socket) => socket.once('data', () => socket[close]()));
    const { kind, detail } = failureOf(await send(senderTo(t, `https://127.0.0.1:${port}`)));
    assert.equal(kind, 'reset');
    assert.equal(detail, 'the receiver closed the connection without a complete answer');
  }
});
