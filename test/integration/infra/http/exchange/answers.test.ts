/**
 * The outcome of unusual answers, as docs/guides/receiving.md lists them. Each request is sent
 * twice, as by a retry: first by undici, then by the lenient client if undici refused the
 * answer.
 */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import type { SendResult } from '#infra/http/client/sender.ts';
import { rawServer } from '../raw-server.ts';
import { send, senderTo } from '../send-once.ts';

const LATE = 'the body did not end in time';
const BROKEN = 'the body broke off, or was not as long or as encoded as its headers say';
const INVALID = 'bad_response: the answer is not valid HTTP';
const CONTINUED =
  'bad_response: the receiver sent 100 Continue, which the request did not ask for; the next attempt reads it';
const SWITCHED =
  'bad_response: the receiver switched protocols (101), which the request did not ask for';
const LONG = 'bad_response: the headers of the answer are longer than 16384 bytes';

interface Case {
  /** Each `|` is a line end, CR LF. */
  answer: string;
  /** True: the receiver then closes the connection. */
  ends?: boolean;
  /** The deciding status, or the fault; for two attempts if they differ. */
  comesTo: number | string | [first: string, second: number | string];
  note?: string;
  body?: string;
}

const OK = 'HTTP/1.1 200 OK|';
const WHOLE = `${OK}content-length: 2||ok`;

const cases: Record<string, Case> = {
  'no reason phrase': { answer: 'HTTP/1.1 200|content-length: 2||ok', comesTo: 200, body: 'ok' },
  'an empty reason phrase': { answer: 'HTTP/1.1 200 |content-length: 2||ok', comesTo: 200 },
  'empty lines before the status line': { answer: `||${WHOLE}`, comesTo: 200, body: 'ok' },
  'HTTP/1.0 that closes': { answer: 'HTTP/1.0 200 OK||ok', ends: true, comesTo: 200, body: 'ok' },
  'HTTP/1.0 that is kept alive': {
    answer: 'HTTP/1.0 200 OK|connection: keep-alive|content-length: 2||ok',
    comesTo: 200,
  },
  'connection: close, no length': {
    answer: `${OK}connection: close||ok`,
    ends: true,
    comesTo: 200,
    body: 'ok',
  },
  'a status line in lower case': {
    answer: 'http/1.1 200 ok|content-length: 2||ok',
    comesTo: [INVALID, 200],
    body: 'ok',
  },
  'two spaces in the status line': {
    answer: 'HTTP/1.1  200 OK|content-length: 2||ok',
    comesTo: [INVALID, 200],
  },
  'another minor version': {
    answer: 'HTTP/1.2 200 OK|content-length: 2||ok',
    comesTo: [INVALID, 200],
  },
  'HTTP/2 in text': { answer: 'HTTP/2 200|content-length: 2||ok', comesTo: [INVALID, 200] },
  'a status of two digits': { answer: 'HTTP/1.1 99 X|content-length: 0||', comesTo: INVALID },
  'a status of four digits': { answer: 'HTTP/1.1 2000 X|content-length: 0||', comesTo: INVALID },
  'the status 000': { answer: 'HTTP/1.1 000 X|content-length: 0||', comesTo: INVALID },
  'a status that is not HTTP': { answer: 'HTTP/1.1 999 X|content-length: 0||', comesTo: 999 },
  'another protocol': { answer: 'ICY 200 OK||', comesTo: INVALID },
  'another protocol, and no line': { answer: '220 mail', comesTo: INVALID },

  '100': { answer: `HTTP/1.1 100 Continue||${WHOLE}`, comesTo: [CONTINUED, 200], body: 'ok' },
  '100 with headers, three times': {
    answer: `${'HTTP/1.1 100 Continue|x: 1|connection: close||'.repeat(3)}${WHOLE}`,
    comesTo: [CONTINUED, 200],
    body: 'ok',
  },
  '100 of HTTP/1.0': {
    answer: 'HTTP/1.0 100 Continue||HTTP/1.0 200 OK||ok',
    ends: true,
    comesTo: [CONTINUED, 200],
    body: 'ok',
  },
  '100, then 503': {
    answer: 'HTTP/1.1 100 Continue||HTTP/1.1 503 No|content-length: 0||',
    comesTo: [CONTINUED, 503],
  },
  '102 and 103, several times': {
    answer: `HTTP/1.1 102 P||${'HTTP/1.1 103 E|link: </a>||'.repeat(3)}${WHOLE}`,
    comesTo: 200,
    body: 'ok',
  },
  '103 with a length': { answer: `HTTP/1.1 103 E|content-length: 5||${WHOLE}`, comesTo: 200 },
  '103, then 100': {
    answer: `HTTP/1.1 103 E||HTTP/1.1 100 Continue||${WHOLE}`,
    comesTo: [CONTINUED, 200],
  },
  '103 with connection: close': {
    answer: `HTTP/1.1 103 E|connection: close||${WHOLE}`,
    comesTo: [INVALID, 200],
  },
  '103 of HTTP/1.0': { answer: `HTTP/1.0 103 E||${WHOLE}`, comesTo: [INVALID, 200] },
  '199': { answer: `HTTP/1.1 199 X||${WHOLE}`, comesTo: 200 },
  '101 with an upgrade': {
    answer: 'HTTP/1.1 101 S|connection: upgrade|upgrade: websocket||',
    comesTo: SWITCHED,
  },
  '101 alone, then 200': { answer: `HTTP/1.1 101 S||${WHOLE}`, comesTo: SWITCHED },
  '100, then 101': {
    answer: `HTTP/1.1 100 Continue||HTTP/1.1 101 S||${WHOLE}`,
    comesTo: [CONTINUED, SWITCHED],
  },
  '200 that offers an upgrade': {
    answer: `${OK}connection: upgrade|upgrade: h2c|content-length: 2||ok`,
    comesTo: 200,
  },

  '204 with content-length: 2 and a body': {
    answer: 'HTTP/1.1 204 No Content|content-length: 2||ok',
    comesTo: 204,
    note: BROKEN,
  },
  '204 with content-length: 2, no body': {
    answer: 'HTTP/1.1 204 No Content|content-length: 2||',
    comesTo: 204,
    note: BROKEN,
  },
  '204 with a chunked body': {
    answer: 'HTTP/1.1 204 N|transfer-encoding: chunked||2|ok|0||',
    comesTo: 204,
  },
  '205 without a length': { answer: 'HTTP/1.1 205 Reset Content||', comesTo: 205 },
  '205 with a body': { answer: 'HTTP/1.1 205 R|content-length: 2||ok', comesTo: 205 },
  '304 with the length of a body that is not sent': {
    answer: 'HTTP/1.1 304 Not Modified|content-length: 20||',
    comesTo: 304,
    note: BROKEN,
  },
  'an answer as to HEAD': { answer: `${OK}content-length: 200||`, comesTo: 200, note: LATE },
  'a body shorter than its length, closed': {
    answer: `${OK}content-length: 9||ok`,
    ends: true,
    comesTo: 200,
    note: BROKEN,
    body: 'ok',
  },
  'a body shorter than its length, connection: close': {
    answer: `${OK}connection: close|content-length: 9||ok`,
    ends: true,
    comesTo: 200,
    note: BROKEN,
  },
  'a failure whose body is shorter than its length': {
    answer: 'HTTP/1.1 503 No|content-length: 9||ok',
    ends: true,
    comesTo: 503,
    note: BROKEN,
  },
  'a body longer than its length': {
    answer: `${OK}content-length: 1||ok`,
    comesTo: 200,
    body: 'o',
  },
  'no length, and the connection stays open': {
    answer: `${OK}|ok`,
    comesTo: 200,
    note: LATE,
    body: 'ok',
  },
  'garbage after the body': { answer: `${WHOLE}GARBAGE||`, comesTo: 200, body: 'ok' },
  'a second answer after the body': { answer: `${WHOLE}HTTP/1.1 500 No||`, comesTo: 200 },
  trailers: {
    answer: `${OK}transfer-encoding: chunked|trailer: x||2|ok|0|x: 1||`,
    comesTo: 200,
    body: 'ok',
  },
  'chunks with extensions': {
    answer: `${OK}transfer-encoding: chunked||2;a=b|ok|0;c||`,
    comesTo: 200,
    body: 'ok',
  },
  'an invalid chunk size': {
    answer: `${OK}transfer-encoding: chunked||2|ok|zz|`,
    comesTo: 200,
    note: BROKEN,
    body: 'ok',
  },
  'a chunk that breaks off': {
    answer: `${OK}transfer-encoding: chunked||5|ok`,
    ends: true,
    comesTo: 200,
    note: BROKEN,
    body: 'ok',
  },
  'chunks without end': {
    answer: `${OK}transfer-encoding: chunked||2|ok|`,
    comesTo: 200,
    note: LATE,
  },
  'transfer-encoding, then content-length': {
    answer: `${OK}transfer-encoding: chunked|content-length: 5||2|ok|0||`,
    comesTo: [INVALID, 200],
    body: 'ok',
  },
  'content-length, then transfer-encoding': {
    answer: `${OK}content-length: 5|transfer-encoding: chunked||2|ok|0||`,
    comesTo: [INVALID, 200],
    body: 'ok',
  },
  'content-length twice, equal': {
    answer: `${OK}content-length: 2|content-length: 2||ok`,
    comesTo: [INVALID, 200],
    body: 'ok',
  },
  'content-length as a list of equals': {
    answer: `${OK}content-length: 2, 2||ok`,
    comesTo: [INVALID, 200],
    body: 'ok',
  },
  'content-length twice, different': {
    answer: `${OK}content-length: 2|content-length: 3||ok`,
    comesTo: [INVALID, 200],
    note: BROKEN,
  },
  'a content-length that is no number': {
    answer: `${OK}content-length: two||ok`,
    comesTo: [INVALID, 200],
    note: BROKEN,
  },
  'a content-length beyond all numbers': {
    answer: `${OK}content-length: 99999999999999999999999||ok`,
    comesTo: [INVALID, 200],
    note: BROKEN,
  },
  'lines that end with LF alone': {
    answer: 'HTTP/1.1 200 OK\ncontent-length: 2\n\nok',
    comesTo: [INVALID, 200],
    body: 'ok',
  },
  'a header line that ends with LF alone': {
    answer: `${OK}content-length: 2\nx: 1||ok`,
    comesTo: [INVALID, 200],
    body: 'ok',
  },
  'a folded header': {
    answer: `${OK}x: a| b|content-length: 2||ok`,
    comesTo: [INVALID, 200],
    body: 'ok',
  },
  'a space before the colon': {
    answer: `${OK}x : a|content-length: 2||ok`,
    comesTo: [INVALID, 200],
  },
  'a line that is no header': {
    answer: `${OK}nonsense|content-length: 2||ok`,
    comesTo: [INVALID, 200],
    body: 'ok',
  },
  'control characters in a header': {
    answer: `${OK}x: a\u0000b\u0001|content-length: 2||ok`,
    comesTo: [INVALID, 200],
  },
  'headers with the names of inherited members': {
    answer: `${OK}__proto__: 1|constructor: 1|tostring: 1|constructor: 2|content-length: 2||ok`,
    comesTo: 200,
  },
  'headers over the bound': {
    answer: `${OK}${'x-a: 1234567890|'.repeat(2000)}content-length: 2||ok`,
    comesTo: LONG,
  },
  'one header over the bound, after 100': {
    answer: `HTTP/1.1 100 C||${OK}x: ${'1'.repeat(20_000)}||`,
    comesTo: [CONTINUED, LONG],
  },
};

/** Long enough for the status, also on a busy machine; increased until it arrives. */
const LIMITS_MS = [300, 3000, 30_000];

async function answerTwice(
  t: Parameters<typeof rawServer>[0],
  { answer, ends }: Case,
  limitMs: number,
): Promise<{ results: SendResult[]; requests: number }> {
  let requests = 0;
  const bytes = Buffer.from(answer.replaceAll('|', '\r\n'), 'latin1');
  const port = await rawServer(t, (socket: Socket) => {
    socket.on('data', () => {
      requests++;
      if (ends === true) socket.end(bytes);
      else socket.write(bytes);
    });
  });
  const sender = senderTo(t, `http://127.0.0.1:${port}`);
  const results: SendResult[] = [];
  for (let n = 0; n < 2; n++) results.push(await send(sender, AbortSignal.timeout(limitMs)));
  return { results, requests };
}

function summary({ outcome }: SendResult): number | string {
  return outcome.status ?? (outcome.ok ? '' : `${outcome.kind}: ${outcome.detail}`);
}

for (const [what, odd] of Object.entries(cases)) {
  test(`the outcome of ${what} is ${JSON.stringify(odd.comesTo)}`, async (t) => {
    for (const limitMs of LIMITS_MS) {
      const { results, requests } = await answerTwice(t, odd, limitMs);
      const isLate = results.some(({ outcome }) => !outcome.ok && outcome.kind === 'timeout');
      if (isLate && limitMs !== LIMITS_MS.at(-1)) continue;
      const expected = Array.isArray(odd.comesTo) ? odd.comesTo : [odd.comesTo, odd.comesTo];
      assert.deepEqual(results.map(summary), expected);
      const last = results[1] as SendResult;
      assert.equal(last.outcome.ok, last.outcome.status !== undefined && last.outcome.status < 300);
      assert.equal(last.note, odd.note);
      if (odd.body !== undefined) assert.equal(last.responseBody.toString(), odd.body);
      assert.equal(requests, 2);
      return;
    }
  });
}
