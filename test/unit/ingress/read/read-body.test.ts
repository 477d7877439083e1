import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { limits } from '#domain/limits.ts';
import { readBatchBody, readEventBody } from '#src/ingress/read/read-body.ts';
import { refusal } from '../refusal.ts';

const read = (text: string) => readEventBody(Buffer.from(text));
const event = (fields: string) => `{"type":"order.created",${fields}}`;

test('a plain event needs only type and data, and its other fields are kept as sent', () => {
  assert.deepEqual(read(' { "type" : "order.created" , "data" : {"a":1} } '), {
    type: 'order.created',
    kind: 'json',
    data: '{"a":1}',
  });
  const text = event(
    '"id":"o-1","source":"/shop","time":"2026-01-31T12:00:00.5+01:00","subject":"7","dataschema":"https://x/s"',
  );
  assert.deepEqual(read(text), {
    type: 'order.created',
    id: 'o-1',
    source: '/shop',
    time: '2026-01-31T12:00:00.5+01:00',
    subject: '7',
    dataschema: 'https://x/s',
    kind: 'json',
    data: 'null',
    noData: true,
  });
});

const kept = [
  '12345678901234567890',
  '1.0',
  '-0',
  '1e400',
  '"\\u00e4\\/\\ud83d\\ude00 ä"',
  '"\\ud800"',
  '{"b":1,"a":2,"10":3,"2":4}',
  '{"a":1,"a":2,"\\u0061":3}',
  '[ 1 ,\t2,\r\n 3 ]',
  '{"data":{"data":1},"type":"x"}',
  '""',
  'false',
];
for (const data of kept) {
  test(`data keeps the bytes that were sent: ${data}`, () => {
    assert.equal(read(event(` "data" : ${data} ,"subject":"x"`)).data, data);
    assert.equal(read(`\n{"data":${data}\t,"type":"a"}\n`).data, data);
    const [item] = readBatchBody(Buffer.from(`{"events":[ ${event(`"data":${data}`)} ]}`));
    assert.ok(item !== undefined && 'input' in item);
    assert.equal(item.input.data, data);
  });
}

test('data keeps its bytes for any JSON and any surrounding text', () => {
  const space = fc.stringMatching(/^[ \n\r\t]{0,3}$/);
  fc.assert(
    fc.property(fc.json({ stringUnit: 'binary' }), space, fc.boolean(), (data, around, first) => {
      const member = `${around}"data"${around}:${around}${data}${around}`;
      const type = `${around}"type":"a.b"${around}`;
      const input = read(
        `${around}{${first ? `${member},${type}` : `${type},${member}`}}${around}`,
      );
      assert.equal(input.data, data);
    }),
  );
});

const notJson: [string, Buffer][] = [
  ['nothing', Buffer.alloc(0)],
  ['JSON that is cut off', Buffer.from('{"type":')],
  ['text', Buffer.from('type=order.created')],
  ['two values', Buffer.from('{} {}')],
  ['a trailing comma', Buffer.from('{"type":"a",}')],
  ['bytes that are not UTF-8', Buffer.from([0x22, 0xff, 0x22])],
  ['a number that JSON has not', Buffer.from('{"type":"a","data":NaN}')],
];
for (const [what, body] of notJson) {
  test(`rejects ${what} with POSTHORN_BODY_INVALID, as one event and as a batch`, () => {
    const expected = { code: 'POSTHORN_BODY_INVALID', pointers: [] };
    assert.deepEqual(
      refusal(() => readEventBody(body)),
      expected,
    );
    assert.deepEqual(
      refusal(() => readBatchBody(body)),
      expected,
    );
  });
}

const invalid: [string, string, string[]][] = [
  ['an array', '[]', ['']],
  ['null', 'null', ['']],
  ['a string', '"order.created"', ['']],
  ['no type', '{"data":1}', ['/type']],
  ['a type that is a number', '{"type":7}', ['/type']],
  ['an empty type', '{"type":""}', ['/type']],
  ['a type with a line feed', '{"type":"order\\ncreated"}', ['/type']],
  ['a type with a lone surrogate', '{"type":"\\ud800"}', ['/type']],
  ['a type that is too long', `{"type":"${'a'.repeat(129)}"}`, ['/type']],
  ['an id that is a number', event('"id":7'), ['/id']],
  ['an empty id', event('"id":""'), ['/id']],
  ['an id with a dot', event('"id":"a.b"'), ['/id']],
  ['an id with a line feed', event('"id":"a\\nb"'), ['/id']],
  ['an id that is too long', event(`"id":"${'a'.repeat(201)}"`), ['/id']],
  ['an id that is null', event('"id":null'), ['/id']],
  ['a time that is a number', event('"time":1700000000'), ['/time']],
  ['a time without zone', event('"time":"2026-01-31T12:00:00"'), ['/time']],
  ['a date', event('"time":"2026-01-31"'), ['/time']],
  ['a day that does not exist', event('"time":"2026-02-30T12:00:00Z"'), ['/time']],
  ['a day that does not exist that year', event('"time":"2026-02-29T12:00:00Z"'), ['/time']],
  ['an hour that does not exist', event('"time":"2026-01-31T24:00:00Z"'), ['/time']],
  ['a source that is an object', event('"source":{}'), ['/source']],
  ['an empty subject', event('"subject":""'), ['/subject']],
  ['a subject that is too long', event(`"subject":"${'a'.repeat(513)}"`), ['/subject']],
  ['a subject with a control character', event('"subject":"a\\u0000"'), ['/subject']],
  ['a subject with a lone surrogate', event('"subject":"a\\ud800"'), ['/subject']],
  ['a field that is not known', event('"payload":{}'), ['/payload']],
  ['a misspelt field', '{"Type":"a","type":"a"}', ['/Type']],
  ['names that a pointer must escape', event('"a/b~c":1'), ['/a~1b~0c']],
  ['a field twice', '{"type":"a","type":"b"}', ['/type']],
  ['a field twice, escaped', '{"type":"a","t\\u0079pe":"b"}', ['/type']],
  ['a name twice that a pointer must escape', event('"a/b":1,"a/b":1'), ['/a~1b']],
  ['a prototype', event('"__proto__":{}'), ['/__proto__']],
  ['data that is too deep', event(`"data":${nested(limits.dataDepthMax + 1)}`), ['/data']],
  ['several faults, all named', '{"type":1,"id":2,"x":3}', ['/x', '/type', '/id']],
];
for (const [what, text, pointers] of invalid) {
  test(`rejects ${what} with POSTHORN_EVENT_INVALID at ${pointers.join(' ') || 'the whole'}`, () => {
    assert.deepEqual(
      refusal(() => read(text)),
      { code: 'POSTHORN_EVENT_INVALID', pointers },
    );
  });
  test(`rejects only the item with ${what} in a batch, with its position in the pointer`, () => {
    const items = readBatchBody(Buffer.from(`{"events":[${event('"data":1')},${text}]}`));
    const [good, bad] = items;
    assert.ok(good !== undefined && 'input' in good);
    assert.ok(bad !== undefined && 'error' in bad);
    assert.equal(bad.error.code, 'POSTHORN_EVENT_INVALID');
    assert.deepEqual(
      bad.error.fields.map(({ pointer }) => pointer),
      pointers.map((pointer) => `/events/1${pointer}`),
    );
  });
}

function nested(levels: number): string {
  return '['.repeat(levels) + ']'.repeat(levels);
}

test('rejects data of 100,000 levels without crashing, and accepts the deepest allowed', () => {
  assert.equal(read(event(`"data":${nested(limits.dataDepthMax)}`)).kind, 'json');
  assert.deepEqual(refusal(() => read(event(`"data":${nested(100_000)}`))).pointers, ['/data']);
});

const badBatches: [string, string, string, string[]][] = [
  ['an array', '[]', 'POSTHORN_EVENT_INVALID', ['']],
  ['no events', '{}', 'POSTHORN_EVENT_INVALID', ['/events']],
  ['events that are no list', '{"events":{}}', 'POSTHORN_EVENT_INVALID', ['/events']],
  ['an unknown field', '{"events":[1],"mode/x":1}', 'POSTHORN_EVENT_INVALID', ['/mode~1x']],
  ['events twice', '{"events":[1],"events":[2]}', 'POSTHORN_EVENT_INVALID', ['/events']],
  [
    'too many',
    `{"events":[${Array(limits.batchEventsMax + 1)
      .fill(1)
      .join()}]}`,
    'POSTHORN_BATCH_TOO_LARGE',
    [],
  ],
];
for (const [what, text, code, pointers] of badBatches) {
  test(`rejects a whole batch: ${what}`, () => {
    assert.deepEqual(
      refusal(() => readBatchBody(Buffer.from(text))),
      { code, pointers },
    );
  });
}
