import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodePosition, encodePosition, tailStreams } from '#src/control/tail/tail-position.ts';

test('a position is decoded as it was encoded', () => {
  const position = new Map([
    ['EV-0', 5],
    ['EV-1', 123_456_789],
    ['ATT-1', 36],
  ]);
  const text = encodePosition(position, 2);
  assert.equal(text, '1-5.21i3v9.0.10');
  const decoded = decodePosition(text, 2);
  assert.deepEqual(decoded, new Map([...position, ['ATT-0', 0]]));
  assert.deepEqual(tailStreams(2), ['EV-0', 'EV-1', 'ATT-0', 'ATT-1']);
});

test('a text that is no position of the streams is undefined', () => {
  for (const text of ['', '1-', '1-5', '1-5.5.5.5.5', '2-5.5.5.5', '1-5.5.5.', '1-5.-5.5.5']) {
    assert.equal(decodePosition(text, 2), undefined, text);
  }
});
