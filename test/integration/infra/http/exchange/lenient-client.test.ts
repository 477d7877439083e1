/** The lenient client keeps the rules of undici's: addresses, TLS, connections, bytes. */
import assert from 'node:assert/strict';
import { type Socket, createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { type TLSSocket, createSecureContext, createServer as createTlsServer } from 'node:tls';
import { makeCertificate } from '../../../../kit/network/certificates.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { listenFor, rawServer } from '../raw-server.ts';
import { failureOf, send, senderTo } from '../send-once.ts';

const ANSWER = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
const lenient = { isLenient: true };

test('both clients write the same bytes', async (t) => {
  const received: string[] = [];
  const port = await rawServer(t, (socket) => {
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      if (!text.endsWith('\r\n\r\n{}')) return;
      received.push(text);
      socket.write(ANSWER);
    });
  });
  for (const host of ['127.0.0.1', 'localhost']) {
    const [byUndici, byLenient] = [false, true].map((isLenient) =>
      senderTo(t, `http://${host}:${port}`, { isLenient }),
    );
    assert.ok(byUndici && byLenient);
    assert.equal((await send(byUndici)).outcome.ok, true);
    assert.equal((await send(byLenient)).outcome.ok, true);
  }
  const [first, second, third, fourth] = received;
  assert.match(first ?? '', /^POST \/hook\?a=1 HTTP\/1.1\r\nhost: 127\.0\.0\.1:\d+\r\n/);
  assert.equal(second, first);
  assert.equal(fourth, third);
});

test('connections are kept alive and reused in turn', async (t) => {
  const sockets = new Set<Socket>();
  let answers: (() => void)[] = [];
  const port = await rawServer(t, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('data', () => answers.push(() => socket.write(ANSWER)));
  });
  const sender = senderTo(t, `http://127.0.0.1:${port}`, lenient);
  for (const requests of [3, 3, 2]) {
    const results = Array.from({ length: requests }, () => send(sender));
    await waitUntil(() => answers.length === requests);
    for (const answer of answers) answer();
    answers = [];
    for (const { outcome } of await Promise.all(results)) assert.equal(outcome.ok, true);
  }
  assert.equal(sockets.size, 3);
  sender.close();
  await waitUntil(() => sockets.size === 0);
});

const closing: [what: string, answer: (socket: Socket) => void][] = [
  [
    'connection: close',
    (socket) => socket.end('HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n'),
  ],
  ['HTTP/1.0', (socket) => socket.end('HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n')],
  ['bytes after the body', (socket) => socket.write(`${ANSWER}HTTP/1.1 500 No\r\n\r\n`)],
];
for (const [what, answer] of closing) {
  test(`a connection with ${what} serves one exchange`, async (t) => {
    let connections = 0;
    const port = await rawServer(t, (socket) => {
      connections++;
      socket.on('data', () => answer(socket));
    });
    const sender = senderTo(t, `http://127.0.0.1:${port}`, lenient);
    const inTurn = async (): Promise<void> => {
      for (let n = 0; n < 20; n++) {
        const { outcome } = await send(sender);
        assert.deepEqual(outcome, { ok: true, status: 200 });
      }
    };
    await Promise.all([inTurn(), inTurn(), inTurn()]);
    assert.equal(connections, 60);
  });
}

test('an idle connection is closed when it receives bytes', async (t) => {
  const sockets: Socket[] = [];
  let closed = 0;
  const port = await rawServer(t, (socket) => {
    sockets.push(socket);
    socket.once('close', () => closed++);
    socket.on('data', () => socket.write(ANSWER));
  });
  const sender = senderTo(t, `http://127.0.0.1:${port}`, lenient);
  await send(sender);
  sockets[0]?.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
  await waitUntil(() => closed === 1);
  assert.equal((await send(sender)).responseBody.toString(), 'ok');
  assert.equal(sockets.length, 2);
});

test('the lenient client does not dial a forbidden address', async (t) => {
  let dialled = 0;
  const port = await rawServer(t, () => dialled++);
  for (const host of ['127.0.0.1', 'localhost']) {
    const sender = senderTo(t, `http://${host}:${port}`, { ...lenient, allow: '' });
    assert.equal(failureOf(await send(sender)).kind, 'forbidden_address');
  }
  assert.equal(dialled, 0);
});

async function startTls(
  t: TestContext,
): Promise<{ origin: string; names: (string | undefined)[] }> {
  const names: (string | undefined)[] = [];
  const server = createTlsServer(
    { ...issuer, requestCert: true, rejectUnauthorized: false },
    (socket: TLSSocket) => {
      names.push(socket.getPeerCertificate().subject?.CN as string | undefined);
      socket.on('error', () => undefined);
      socket.on('data', () => socket.write(ANSWER));
    },
  );
  return { origin: `https://localhost:${await listenFor(t, server)}`, names };
}
const issuer = makeCertificate();

test('the lenient client presents the client certificate', async (t) => {
  const { origin, names } = await startTls(t);
  const client = makeCertificate({ commonName: 'acme' });
  const context = { ca: issuer.cert, cert: client.cert, key: client.key };
  const secureContext = createSecureContext(context);
  const sender = senderTo(t, origin, { ...lenient, secureContext });
  assert.equal((await send(sender)).outcome.ok, true);
  assert.deepEqual(names, ['acme']);
});

test('the lenient client rejects an untrusted certificate, and one for another name', async (t) => {
  const { origin } = await startTls(t);
  assert.equal(failureOf(await send(senderTo(t, origin, lenient))).kind, 'tls');
  const secureContext = createSecureContext({ ca: issuer.cert });
  const byAddress = origin.replace('localhost', '127.0.0.1');
  const sender = senderTo(t, byAddress, { ...lenient, secureContext });
  assert.deepEqual(failureOf(await send(sender)).detail, 'the certificate is for another name');
});

test('the time limit ends a dial, an unanswered request, and its connection', async (t) => {
  let open = 0;
  const server = createServer((socket) => {
    open++;
    socket.once('close', () => open--);
    socket.resume();
  });
  const port = await listenFor(t, server);
  for (const scheme of ['http', 'https']) {
    const sender = senderTo(t, `${scheme}://127.0.0.1:${port}`, lenient);
    const limit = new AbortController();
    const sent = send(sender, limit.signal);
    await waitUntil(() => open === 1);
    limit.abort();
    assert.equal(failureOf(await sent).kind, 'timeout');
    await waitUntil(() => open === 0);
  }
});

test('an invalid header fails without a request', async (t) => {
  let dialled = 0;
  const port = await rawServer(t, () => dialled++);
  for (const isLenient of [false, true]) {
    const sender = senderTo(t, `http://127.0.0.1:${port}`, { isLenient });
    const headers = ['x', 'a\r\ny: b'];
    const signal = AbortSignal.timeout(20_000);
    const result = await sender.send({ path: '/', headers, body: Buffer.from('{}'), signal });
    assert.equal(failureOf(result).kind, 'unexpected');
  }
  assert.equal(dialled, 0);
});
