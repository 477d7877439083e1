import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JsonFault } from '#domain/json/json-fault.ts';
import { jsonBounds } from '#domain/json/json-bounds.ts';
import { JsonScanner } from '#domain/json/json-scanner.ts';
import { limits } from '#domain/limits.ts';
import { readBatchBody, readEventBody } from '#src/ingress/read/read-body.ts';
import { refusal } from '../refusal.ts';

const MIB = 1024 * 1024;
const REST = 'x'.repeat(MIB);

/** How far a scanner reads, and which bound stops it. */
function stopOf(text: string): { position: number; detail: string } {
  const bytes = Buffer.from(text);
  const scanner = new JsonScanner(bytes);
  try {
    while (!scanner.read(64));
  } catch (error) {
    assert.ok(error instanceof JsonFault);
    assert.equal(error.kind, 'bound', error.message);
    return { position: scanner.position, detail: error.message };
  }
  assert.fail('no bound stops it');
}

const { depthMax, valuesMax, containersMax, namesMax } = jsonBounds(0);
const names = Array.from({ length: namesMax + 20_000 }, (_, i) => `"${i.toString(36)}":1`);

const hostile: [what: string, text: string, bytesReadMax: number, detail: RegExp][] = [
  ['arrays in arrays', '['.repeat(2 * MIB), depthMax, /nested deeper than 256/],
  ['objects in objects', '{"a":'.repeat(MIB), depthMax * 5, /nested deeper than 256/],
  ['small numbers', `[${'1,'.repeat(2 * MIB)}`, valuesMax * 2, /more than 1000000 values/],
  ['empty arrays', `[${'[],'.repeat(MIB)}`, containersMax * 3, /250000 arrays and objects/],
  ['empty objects', `[${'{},'.repeat(MIB)}`, containersMax * 3, /250000 arrays and objects/],
  ['a number of a megabyte', '9'.repeat(MIB), 0, /number of more than 1024 characters/],
  ['a fraction of a megabyte', `0.${'9'.repeat(MIB)}`, 0, /number of more than 1024 characters/],
  ['an exponent of a megabyte', `1e${'9'.repeat(MIB)}`, 0, /number of more than 1024 characters/],
  [
    'different names',
    `{${names.join(',')},${REST}`,
    names.join(',').length,
    /50000 different names/,
  ],
];
for (const [what, text, bytesReadMax, detail] of hostile) {
  test(`the scanner stops at its bound in a text of ${what}`, () => {
    const stop = stopOf(text);
    assert.match(stop.detail, detail);
    assert.ok(stop.position <= bytesReadMax, `read ${stop.position} of ${text.length} bytes`);
  });
}

test('the scanner accepts a text that is at each bound', () => {
  const scanner = (text: string) => new JsonScanner(Buffer.from(text));
  assert.ok(scanner('['.repeat(depthMax) + ']'.repeat(depthMax)).read());
  assert.ok(scanner(`[${'1,'.repeat(valuesMax - 2)}1]`).read());
  assert.ok(scanner(`[${'[],'.repeat(containersMax - 2)}[]]`).read());
  assert.ok(scanner(`{${names.slice(0, namesMax).join(',')}}`).read());
  assert.ok(scanner('9'.repeat(limits.jsonNumberLengthMax)).read());
});

test('a larger text may contain more values, containers and names', () => {
  const large = jsonBounds(limits.eventBytesMax);
  assert.ok(large.valuesMax >= limits.eventBytesMax / 8);
  assert.ok(large.containersMax >= limits.eventBytesMax / 16);
  assert.ok(large.namesMax >= limits.eventBytesMax / 128);
  assert.equal(large.depthMax, limits.jsonDepthMax);
});

const event = (fields: string) => `{"type":"a.b",${fields}}`;

test('rejects an event that exceeds a bound with the pointer of the member', () => {
  const deep = event(`"data":${'['.repeat(MIB)}`);
  assert.deepEqual(
    refusal(() => readEventBody(Buffer.from(deep))),
    { code: 'POSTHORN_EVENT_INVALID', pointers: ['/data'] },
  );
  assert.deepEqual(
    refusal(() => readBatchBody(Buffer.from(`{"events":[${event('"data":1')},${deep}`))),
    { code: 'POSTHORN_EVENT_INVALID', pointers: ['/events/1/data'] },
  );
});

test('rejects an event with too many members with one error', () => {
  const members = Array.from({ length: limits.eventMembersMax }, (_, i) => `"x${i}":1`);
  assert.deepEqual(
    refusal(() => readEventBody(Buffer.from(event(members.join(','))))),
    { code: 'POSTHORN_EVENT_INVALID', pointers: [''] },
  );
});

test('rejects an attribute over the maximum size without building it', () => {
  const id = `[${'[],'.repeat(limits.eventAttributeBytesMax)}1]`;
  assert.deepEqual(
    refusal(() => readEventBody(Buffer.from(event(`"id":${id},"subject":${id}`)))),
    { code: 'POSTHORN_EVENT_INVALID', pointers: ['/id', '/subject'] },
  );
});

test('the pointer of a field with a long name is truncated', () => {
  const name = 'n'.repeat(MIB);
  const { pointers } = refusal(() => readEventBody(Buffer.from(event(`"${name}":1`))));
  assert.deepEqual(pointers, [`/${'n'.repeat(limits.jsonNameKeptLengthMax)}…`]);
});
