/**
 * Receivers on raw sockets: the history shows every request, and no answer is logged as an error.
 */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { createLog } from '#infra/telemetry/log.ts';
import type { AttemptRecord } from '#wire/frames/record.ts';
import { rawServer } from '../../infra/http/raw-server.ts';
import { Worker } from '../worker.ts';

const ANSWER = 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n';

interface RawReceiver {
  url: string;
  /** Complete requests received. */
  requests: () => number;
}

/** @param onRequest gets the number of earlier requests of the connection and of the receiver */
async function startReceiver(
  t: TestContext,
  onRequest: (socket: Socket, nthOfConnection: number, nth: number) => void,
): Promise<RawReceiver> {
  let requests = 0;
  const port = await rawServer(t, (socket) => {
    let ofConnection = 0;
    let received = '';
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1');
      const head = received.indexOf('\r\n\r\n');
      const length = /content-length: (\d+)/i.exec(received)?.[1];
      if (head === -1 || received.length < head + 4 + Number(length)) return;
      received = '';
      onRequest(socket, ofConnection++, requests++);
    });
  });
  return { url: `http://127.0.0.1:${port}/hook`, requests: () => requests };
}

async function attemptsOf(
  worker: Worker,
  status: 'delivered' | 'failed',
): Promise<AttemptRecord[]> {
  const { delivery } = await worker.publishDelivery('acme', 'ep_1');
  const records = await worker.recordsUntil(delivery.id, status);
  return records.flatMap(({ attempt }) => attempt ?? []);
}

/** Requests that the attempts report. */
const requestsIn = (attempts: AttemptRecord[]): number =>
  attempts.reduce((sum, { repeatedMs }) => sum + (repeatedMs === undefined ? 1 : 2), 0);

test('a receiver that sends an unsolicited 100 gets the delivery by the second attempt, then by the first', async (t) => {
  const receiver = await startReceiver(t, (socket) => {
    socket.write(`HTTP/1.1 100 Continue\r\n\r\n${ANSWER}`);
  });
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_1', { url: receiver.url });
  const [first, second, ...more] = await attemptsOf(worker, 'delivered');
  assert.deepEqual([first?.no, first?.failure, first?.status], [1, 'bad_response', undefined]);
  assert.match(first?.detail ?? '', /100 Continue/);
  assert.deepEqual([second?.no, second?.status, second?.detail], [2, 200, undefined]);
  assert.deepEqual(more, []);
  for (let n = 0; n < 3; n++) {
    const attempts = await attemptsOf(worker, 'delivered');
    assert.deepEqual(
      attempts.map(({ no, status }) => [no, status]),
      [[1, 200]],
    );
  }
  assert.equal(receiver.requests(), 5);
});

test('a receiver that closes inside its answer gets as many requests as the history shows', async (t) => {
  const receiver = await startReceiver(t, (socket, nthOfConnection) => {
    if (nthOfConnection === 0) socket.end('HTTP/1.1 200 OK\r\ncontent-');
    else socket.end();
  });
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_1', { url: receiver.url });
  const attempts = await attemptsOf(worker, 'failed');
  assert.equal(attempts.length, 3);
  assert.equal(receiver.requests(), requestsIn(attempts));
  assert.equal(new Set(attempts.map(({ detail }) => detail)).size, 1);
});

test('a request that is sent twice is reported with its time and its reason', async (t) => {
  const receiver = await startReceiver(t, (socket, _nthOfConnection, nth) => {
    if (nth === 1) socket.end();
    else socket.write(ANSWER);
  });
  const worker = await Worker.start(t);
  worker.endpoint('acme', 'ep_1', { url: receiver.url });
  const first = await attemptsOf(worker, 'delivered');
  const second = await attemptsOf(worker, 'delivered');
  assert.equal(requestsIn(first), 1);
  assert.equal(requestsIn(second), 2);
  assert.equal(receiver.requests(), 3);
  const [attempt] = second;
  assert.ok(attempt);
  assert.match(attempt.detail ?? '', /^sent twice: /);
  const { startedMs, durationMs, repeatedMs = 0 } = attempt;
  assert.ok(startedMs <= repeatedMs && repeatedMs <= Math.ceil(startedMs + durationMs));
});

test('no answer logs an error', async (t) => {
  const answers = [
    'HTTP/1.1 101 S\r\n\r\n',
    'HTTP/1.1 101 S\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n',
    'HTTP/1.1 000 X\r\n\r\n',
    'HTTP/1.1 999 X\r\ncontent-length: 0\r\n\r\n',
    'HTTP/1.1 204 N\r\ncontent-length: 2\r\n\r\nok',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    'GET / HTTP/1.1\r\n\r\n',
    'HTTP/1.1 100 C\r\n\r\nHTTP/1.1 101 S\r\n\r\n',
    `HTTP/1.1 200 OK\r\n__proto__: 1\r\n__proto__: 2\r\nconstructor: 1\r\n\r\n`,
    `HTTP/1.1 500 \u0000\r\n$x: 1\r\nx.y: 1\r\nretry-after: 99999999999999999999\r\n\r\n`,
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n',
    '\u0000'.repeat(100),
    '',
  ];
  const lines: string[] = [];
  const log = createLog('error', {}, { report: (logged) => lines.push(JSON.stringify(logged)) });
  const receiver = await startReceiver(t, (socket, _nthOfConnection, nth) => {
    socket.end(Buffer.from(answers[nth % answers.length] as string, 'latin1'));
  });
  const worker = await Worker.start(t, {
    log,
    retryPolicy: { delaysSeconds: [0.1], finalStatuses: [], retryAfterMaxMs: 0 },
  });
  worker.endpoint('acme', 'ep_1', { url: receiver.url });
  const published: string[] = [];
  for (const _ of answers)
    published.push((await worker.publishDelivery('acme', 'ep_1')).delivery.id);
  await worker.waitUntilEmpty();
  const records = await worker.core.storedRecords();
  const done = records.flatMap((record) => (record.k === 'delivery' ? [record] : []));
  for (const id of published) {
    const failures = done.flatMap((record) =>
      record.id === id ? [record.attempt?.failure ?? 'none'] : [],
    );
    assert.ok(failures.length > 0);
    assert.ok(!failures.includes('unexpected'), failures.join());
  }
  assert.deepEqual(lines, []);
});
