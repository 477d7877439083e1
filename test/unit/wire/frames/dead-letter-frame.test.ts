import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type DeadLetterHead,
  decodeDeadLetterFrame,
  encodeDeadLetterFrame,
} from '#wire/frames/dead-letter-frame.ts';

const head: DeadLetterHead = {
  id: 'dlv_1',
  endpoint: 'ep_1',
  attemptNo: 12,
  hop: 11,
  eventSeq: 7,
  reason: 'exhausted',
};

test("a dead letter keeps the receiver's text in any language and the event's bytes", () => {
  // U+010A ends in the byte of a line feed, were it cut to one byte.
  const responseBody = 'Ċ schließen\n閉じる 🚪';
  const lastAttempt = {
    id: 'att_1',
    no: 12,
    startedMs: 1,
    durationMs: 2,
    responseBody,
    worker: 'w',
  };
  const event = Buffer.from('{"id":"e"}\n{"n":1.0}\n\u0000');
  const decoded = decodeDeadLetterFrame(encodeDeadLetterFrame({ ...head, lastAttempt }, event));
  assert.deepEqual(decoded.head, { ...head, lastAttempt });
  assert.deepEqual(decoded.eventBytes, event);
});

test('a dead letter of an expired event has no event bytes, and other bytes are rejected', () => {
  const decoded = decodeDeadLetterFrame(encodeDeadLetterFrame(head, Buffer.alloc(0)));
  assert.equal(decoded.eventBytes.length, 0);
  for (const text of ['', '{}', '{}\n', 'null\n', '{"id":"dlv_1"}\n', 'rubbish\n{}']) {
    assert.throws(() => decodeDeadLetterFrame(Buffer.from(text)), SyntaxError, text);
  }
});
