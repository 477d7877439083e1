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

test('what a receiver answered, in whatever language, comes back with the event unchanged', () => {
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

test('an event that had expired leaves no bytes; what is no dead letter is refused', () => {
  const decoded = decodeDeadLetterFrame(encodeDeadLetterFrame(head, Buffer.alloc(0)));
  assert.equal(decoded.eventBytes.length, 0);
  for (const text of ['', '{}', '{}\n', 'null\n', '{"id":"dlv_1"}\n', 'rubbish\n{}']) {
    assert.throws(() => decodeDeadLetterFrame(Buffer.from(text)), SyntaxError, text);
  }
});
