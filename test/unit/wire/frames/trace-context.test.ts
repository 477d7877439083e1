import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  formatTraceparent,
  parseTraceparent,
  normalizeTraceparent,
} from '#wire/frames/trace-context.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';
const TEXT = `00-${TRACE}-${SPAN}-01`;

test('a traceparent is read and written as it is', () => {
  assert.equal(normalizeTraceparent(TEXT), TEXT);
  assert.deepEqual(parseTraceparent(TEXT), { traceId: TRACE, spanId: SPAN, sampled: true });
  assert.equal(formatTraceparent(parseTraceparent(TEXT)), TEXT);
  assert.equal(parseTraceparent(`00-${TRACE}-${SPAN}-00`).sampled, false);
});

test('a traceparent of a later version keeps its known parts', () => {
  assert.equal(normalizeTraceparent(`01-${TRACE}-${SPAN}-01-more`), TEXT);
});

const damaged: [name: string, text: unknown][] = [
  ['none', undefined],
  ['two headers', [TEXT, TEXT]],
  ['empty', ''],
  ['capitals', TEXT.toUpperCase()],
  ['version ff', `ff-${TRACE}-${SPAN}-01`],
  ['no trace id', `00-${'0'.repeat(32)}-${SPAN}-01`],
  ['no span id', `00-${TRACE}-${'0'.repeat(16)}-01`],
  ['too short', `00-${TRACE}-${SPAN}`],
  ['more than version 00 has', `${TEXT}-more`],
  ['very long', `01-${TRACE}-${SPAN}-01-${'x'.repeat(1000)}`],
  ['a line feed', `${TEXT}\n`],
];

for (const [name, text] of damaged) {
  test(`rejects a traceparent: ${name}`, () => assert.equal(normalizeTraceparent(text), undefined));
}
