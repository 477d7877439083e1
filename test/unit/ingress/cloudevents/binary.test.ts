import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CloudEvent, type CloudEventV1, HTTP } from 'cloudevents';
import { limits } from '#domain/limits.ts';
import { checkRawHeaders, isBinaryMode, readBinaryEvent } from '#src/ingress/cloudevents/binary.ts';
import type { EventInput } from '#wire/published/event-input.ts';
import {
  readCloudEventBatch,
  readEventBody,
  readStructuredBody,
} from '#src/ingress/read/read-body.ts';
import { decodeEventFrame, encodeEventFrame } from '#wire/frames/event-frame.ts';
import { renderWebhook } from '#wire/webhook/webhook-request.ts';
import { refusal } from '../refusal.ts';

const REQUIRED = '"specversion":"1.0","id":"c1","source":"/s","type":"a.b"';
const structured = (more = '') => readStructuredBody(Buffer.from(`{${REQUIRED}${more}}`));
const HEADERS = {
  'ce-specversion': '1.0',
  'ce-id': 'c1',
  'ce-source': '/s',
  'ce-type': 'a.b',
  'content-type': 'application/json',
};
const binary = (headers: Record<string, string> = {}, body: string | Buffer = '{}') =>
  readBinaryEvent({ ...HEADERS, ...headers }, Buffer.from(body as string));
const BASE = { id: 'c1', idScope: 'source', source: '/s', type: 'a.b' };
const NO_DATA = { kind: 'json', data: 'null', noData: true };

test('structured mode keeps attributes, extensions and data as they were sent', () => {
  const data = '{ "n":1.0,"n":2 }';
  const input = structured(
    `,"datacontenttype":"application/json","region":"eu","count":7,"on":true,"off":null,"data":${data}`,
  );
  assert.deepEqual(input, {
    ...BASE,
    contentType: 'application/json',
    ext: { region: 'eu', count: 7, on: true },
    kind: 'json',
    data,
  });
});

test('a body of application/json with specversion is a CloudEvent', () => {
  const input = readEventBody(Buffer.from(`{${REQUIRED},"region":"eu","data":1}`));
  assert.deepEqual(input, { ...BASE, ext: { region: 'eu' }, kind: 'json', data: '1' });
});

test('an optional attribute that is null is absent (JSON format, section 2.2)', () => {
  const nulls = ',"subject":null,"time":null,"dataschema":null,"datacontenttype":null';
  assert.deepEqual(structured(nulls), { ...BASE, ...NO_DATA });
});

test('datacontenttype decides whether data is text, bytes or JSON', () => {
  const of = (type: string, data: string): Pick<EventInput, 'kind' | 'data'> => {
    const { kind, data: parsed } = structured(`,"datacontenttype":"${type}",${data}`);
    return { kind, data: parsed };
  };
  assert.deepEqual(of('text/plain', '"data":"a\\n"'), { kind: 'text', data: 'a\n' });
  assert.deepEqual(of('text/plain', '"data":{"a":1}'), { kind: 'json', data: '{"a":1}' });
  assert.deepEqual(of('application/json-seq', '"data":"x"'), { kind: 'text', data: 'x' });
  for (const json of ['application/json', 'application/vnd.x+json; v=1', 'text/json']) {
    assert.deepEqual(of(json, '"data":"x"'), { kind: 'json', data: '"x"' }, json);
  }
  assert.deepEqual(of('image/png', '"data_base64":"AP/+"'), {
    kind: 'binary',
    data: Buffer.from([0, 255, 254]),
  });
});

test('an event with null data differs from an event without data', () => {
  const isNull = { kind: 'json', data: 'null' };
  assert.deepEqual(structured(',"data":null'), { ...BASE, ...isNull });
  assert.deepEqual(structured(',"data":null,"data_base64":null'), { ...BASE, ...isNull });
  assert.deepEqual(structured(',"data_base64":null'), { ...BASE, ...NO_DATA });
  const bytes = structured(',"data":null,"data_base64":"AP8="');
  assert.deepEqual([bytes.kind, bytes.noData], ['binary', undefined]);
  assert.deepEqual(binary({}, ''), { ...BASE, ...NO_DATA, contentType: 'application/json' });
  assert.deepEqual(binary({}, 'null'), { ...BASE, ...isNull, contentType: 'application/json' });
});

test('data of every textual media type is kept as text in both modes', () => {
  const types = ['TEXT/Plain', 'application/xml', 'image/svg+xml', 'application/javascript'];
  for (const type of [...types, 'text/plain; charset="utf-8"']) {
    const { kind, data } = binary({ 'content-type': type }, '<a>ä</a>');
    assert.deepEqual([kind, data], ['text', '<a>ä</a>'], type);
    const escaped = JSON.stringify(type);
    const other = structured(`,"datacontenttype":${escaped},"data":"<a>ä</a>"`);
    assert.deepEqual([other.kind, other.data, other.contentType], [kind, data, type]);
  }
  const utf16 = Buffer.from('ab', 'utf16le');
  const input = binary({ 'content-type': 'text/plain; charset=utf-16' }, utf16);
  assert.deepEqual([input.kind, input.data], ['binary', utf16]);
});

test('a quoted header value is unescaped, then percent-decoded once', () => {
  const headers = { 'ce-subject': '"a \\"b\\" \\\\ %2541"', 'ce-one': '"', 'ce-two': '""' };
  const { subject, ext } = binary(headers);
  assert.equal(subject, 'a "b" \\ %41');
  assert.deepEqual(ext, { one: '"', two: '' });
});

test('ids with spaces and extension names of 128 characters are accepted', () => {
  const name = 'a'.repeat(128);
  const input = binary({ 'ce-id': 'a.b c%C3%A4', [`ce-${name}`]: 'x' });
  assert.equal(input.id, 'a.b cä');
  assert.deepEqual(input.ext, { [name]: 'x' });
  assert.equal(structured(',"subject":"."').id, 'c1');
});

test('rejects a repeated or unencoded header of binary mode with its pointer', () => {
  const raw = ['CE-Id', '1', 'ce-id', '2', 'ce-subject', 'Z\u00fcrich', 'x', '\u00fc'];
  assert.deepEqual(
    refusal(() => checkRawHeaders(raw)),
    {
      code: 'POSTHORN_EVENT_INVALID',
      pointers: ['#header/ce-id', '#header/ce-subject'],
    },
  );
});

test('a time may be any RFC 3339 text, and is kept as it was sent', () => {
  const times = [
    '2026-01-31t12:00:00.123456789012z',
    '2016-12-31T23:59:60Z',
    '2024-02-29T00:00:00-00:00',
  ];
  for (const time of times) assert.equal(structured(`,"time":"${time}"`).time, time);
  for (const time of ['2026-02-29T00:00:00Z', '2026-13-01T00:00:00Z', '2026-01-01T00:60:00Z']) {
    assert.deepEqual(refusal(() => structured(`,"time":"${time}"`)).pointers, ['/time']);
  }
});

test('binary mode decodes attributes from headers, and keeps data as the bytes of the body', () => {
  const data = '{ "n":1.0,"n":2 }';
  const headers = { 'ce-subject': '%C3%A4%20%22%25%22', 'ce-region': '"eu 1"' };
  assert.deepEqual(binary(headers, data), {
    ...BASE,
    subject: 'ä "%"',
    contentType: 'application/json',
    ext: { region: 'eu 1' },
    kind: 'json',
    data,
  });
  const text = binary({ 'content-type': 'text/plain' }, 'ä');
  assert.deepEqual([text.kind, text.data], ['text', 'ä']);
  const bytes = Buffer.from([0, 255, 10]);
  for (const type of ['image/png', 'text/plain']) {
    const input = binary({ 'content-type': type }, bytes);
    assert.deepEqual([input.kind, input.data], ['binary', bytes]);
  }
  assert.ok(isBinaryMode(HEADERS) && !isBinaryMode({ 'content-type': 'application/json' }));
});

const badStructured: [string, string, string[]][] = [
  ['no attributes', '{}', ['/specversion', '/id', '/source', '/type']],
  ['nulls where a value is required', nulled(), ['/specversion', '/id', '/source', '/type']],
  ['another version', `{${REQUIRED.replace('1.0', '0.3')}}`, ['/specversion']],
  ['a version that is a number', `{${REQUIRED.replace('"1.0"', '1.0')}}`, ['/specversion']],
  ['a name in capitals', `{${REQUIRED},"traceParent":"x"}`, ['/traceParent']],
  ['a name that a pointer must escape', `{${REQUIRED},"a/b":"x"}`, ['/a~1b']],
  ['a name that is too long', `{${REQUIRED},"${'a'.repeat(129)}":"x"}`, [`/${'a'.repeat(129)}`]],
  ['an integer that a double rounds', `{${REQUIRED},"ext":12345678901234567890}`, ['/ext']],
  ['an id with a line feed', `{${REQUIRED.replace('c1', '\\n')}}`, ['/id']],
  [
    'text with a charset',
    `{${REQUIRED},"datacontenttype":"a/b;charset=latin1","data":"ä"}`,
    ['/datacontenttype'],
  ],
  ['an extension that is an object', `{${REQUIRED},"ext":{}}`, ['/ext']],
  ['an extension that is a fraction', `{${REQUIRED},"ext":1.5}`, ['/ext']],
  ['an extension that is too long', `{${REQUIRED},"ext":"${'a'.repeat(1025)}"}`, ['/ext']],
  ['an extension with a lone surrogate', `{${REQUIRED},"ext":"\\ud800"}`, ['/ext']],
  ['data twice', `{${REQUIRED},"data":1,"data_base64":"AA=="}`, ['/data_base64']],
  ['invalid base64', `{${REQUIRED},"data_base64":"a b"}`, ['/data_base64']],
  ['truncated base64', `{${REQUIRED},"data_base64":"AAAAA"}`, ['/data_base64']],
  ['base64 that is a number', `{${REQUIRED},"data_base64":7}`, ['/data_base64']],
  ['an invalid content type', `{${REQUIRED},"datacontenttype":"json"}`, ['/datacontenttype']],
  [
    'text with a lone surrogate',
    `{${REQUIRED},"datacontenttype":"text/plain","data":"\\ud800"}`,
    ['/data'],
  ],
  [
    'a content type with a line feed',
    `{${REQUIRED},"datacontenttype":"a/b;\\nx:y"}`,
    ['/datacontenttype'],
  ],
  ['data that is too deep', `{${REQUIRED},"data":${'['.repeat(65)}${']'.repeat(65)}}`, ['/data']],
];
function nulled(): string {
  return '{"specversion":null,"id":null,"source":null,"type":null}';
}
for (const [what, text, pointers] of badStructured) {
  test(`rejects structured mode with ${what} with POSTHORN_EVENT_INVALID at ${pointers.join(' ')}`, () => {
    const expected = { code: 'POSTHORN_EVENT_INVALID', pointers };
    assert.deepEqual(
      refusal(() => readStructuredBody(Buffer.from(text))),
      expected,
    );
    const [good, bad] = readCloudEventBatch(Buffer.from(`[{${REQUIRED}},${text}]`));
    assert.ok(good !== undefined && 'input' in good);
    assert.ok(bad !== undefined && 'error' in bad);
    assert.deepEqual(
      bad.error.fields.map(({ pointer }) => pointer),
      pointers.map((pointer) => `/1${pointer}`),
    );
  });
}

test('rejects more extensions than the bound with the pointer of the first one beyond it', () => {
  const most = limits.eventExtensionsMax;
  const some = (count: number) =>
    structured(Array.from({ length: count }, (_, i) => `,"e${i}":"x"`).join(''));
  assert.equal(Object.keys(some(most).ext ?? {}).length, most);
  assert.deepEqual(refusal(() => some(most + 1)).pointers, [`/e${most}`]);
});

test('rejects a batch that is not a list of events as a whole', () => {
  for (const text of ['{}', '1', `{${REQUIRED}}`]) {
    const expected = { code: 'POSTHORN_EVENT_INVALID', pointers: [''] };
    assert.deepEqual(
      refusal(() => readCloudEventBatch(Buffer.from(text))),
      expected,
      text,
    );
  }
});

const badBinary: [string, Record<string, string>, string, string[]][] = [
  ['another version', { 'ce-specversion': '0.3' }, 'POSTHORN_EVENT_INVALID', ['specversion']],
  ['a type with a line feed', { 'ce-type': 'a%0Ab' }, 'POSTHORN_EVENT_INVALID', ['type']],
  ['a broken percent', { 'ce-subject': '100%' }, 'POSTHORN_EVENT_INVALID', ['subject']],
  ['percent that is not UTF-8', { 'ce-subject': '%ff' }, 'POSTHORN_EVENT_INVALID', ['subject']],
  ['a name with a dash', { 'ce-a-b': 'x' }, 'POSTHORN_EVENT_INVALID', ['a-b']],
  ['data as an attribute', { 'ce-data': 'x' }, 'POSTHORN_EVENT_INVALID', ['data']],
  [
    'a content type as an attribute',
    { 'ce-datacontenttype': 'text/plain' },
    'POSTHORN_EVENT_INVALID',
    ['datacontenttype'],
  ],
];
for (const [what, headers, code, names] of badBinary) {
  test(`rejects binary mode with ${what} with ${code} at #header/ce-${names.join()}`, () => {
    const pointers = names.map((name) => `#header/ce-${name}`);
    assert.deepEqual(
      refusal(() => binary(headers)),
      { code, pointers },
    );
  });
}

test('rejects binary mode without its attributes with the name of each', () => {
  const { code, pointers } = refusal(() =>
    readBinaryEvent({ 'ce-specversion': '1.0' }, Buffer.from('{}')),
  );
  assert.equal(code, 'POSTHORN_EVENT_INVALID');
  assert.deepEqual(pointers.sort(), ['#header/ce-id', '#header/ce-source', '#header/ce-type']);
});

test('rejects binary mode with a body that is not the declared JSON with POSTHORN_BODY_INVALID', () => {
  for (const body of ['{', 'x', Buffer.from([0x22, 0xff, 0x22])]) {
    assert.equal(refusal(() => binary({}, body)).code, 'POSTHORN_BODY_INVALID');
  }
  const deep = '['.repeat(65) + ']'.repeat(65);
  assert.equal(refusal(() => binary({}, deep)).code, 'POSTHORN_EVENT_INVALID');
});

/** Events that a producer builds with the cloudevents package. */
const produced: [string, Partial<CloudEventV1<unknown>>][] = [
  ['JSON', { data: { a: [1, 'ä', null] }, subject: 'ä ö', region: 'eu' }],
  ['no data', {}],
  ['text', { data: 'plain "text" ä', datacontenttype: 'text/plain' }],
  ['bytes', { data: new Uint8Array([0, 255, 254]), datacontenttype: 'image/png' }],
];
for (const [what, fields] of produced) {
  for (const mode of ['structured', 'binary'] as const) {
    test(`${what} made by the cloudevents package, ${mode}, is read and written unchanged`, () => {
      const made = new CloudEvent({ type: 'a.b', source: '/s', id: 'c1', ...fields });
      const input = readProduced(mode, made);
      const head = {
        ...withoutData(input),
        id: 'c1',
        source: '/s',
        time: input.time as string,
        acceptedMs: 1,
        correlationId: 'r',
      };
      const frame = decodeEventFrame(encodeEventFrame(head, input.data));
      const sent = renderWebhook(`cloudevents-${mode}`, frame);
      const back = HTTP.toEvent({
        headers: { ...sent.headers, 'content-type': sent.contentType ?? '' },
        // The package reads a string as text, and a buffer as bytes.
        body: input.kind === 'binary' && mode === 'binary' ? sent.body : sent.body.toString(),
      }) as CloudEventV1<unknown>;
      for (const name of ['id', 'type', 'source', 'time', 'subject', 'region']) {
        // The package does not undo the percent-encoding of the binding (section 3.1.3.2).
        const value = back[name] as string | undefined;
        const decoded =
          mode === 'binary' && value !== undefined ? decodeURIComponent(value) : value;
        assert.equal(decoded, made[name], name);
      }
      if (what === 'no data') assert.ok(input.noData);
      else if (what === 'bytes')
        assert.deepEqual(Buffer.from(input.data), Buffer.from([0, 255, 254]));
      else assert.deepEqual(back.data, made.data);
    });
  }
}

function readProduced(mode: 'structured' | 'binary', made: CloudEvent<unknown>): EventInput {
  const { headers, body } = HTTP[mode](made);
  const bytes = Buffer.from((body ?? '') as string);
  if (mode === 'structured') {
    assert.match(String(headers['content-type']), /^application\/cloudevents\+json/);
    return readStructuredBody(bytes);
  }
  const sent = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      // Node's client accepts only latin1 in headers; a producer encodes others by the binding.
      name.startsWith('ce-') ? encodeURIComponent(String(value)) : String(value),
    ]),
  );
  return readBinaryEvent(sent, bytes);
}

function withoutData({ data: _data, ...head }: EventInput) {
  return head;
}
