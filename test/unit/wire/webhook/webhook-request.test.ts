import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HTTP } from 'cloudevents';
import * as fc from 'fast-check';
import type { EventFrame, EventHead } from '#wire/frames/event-frame.ts';
import { decodeEventFrame, encodeEventFrame } from '#wire/frames/event-frame.ts';
import { renderWebhook } from '#wire/webhook/webhook-request.ts';
import { anyBytes, eventHead, unicodeText } from '../../../property/arbitrary-event.ts';

const head: EventHead = {
  id: 'evt_1',
  type: 'order.created',
  source: '/shop',
  time: '2026-01-31T12:00:00.123Z',
  kind: 'json',
  acceptedMs: 1,
  correlationId: 'req_1',
};

function frame(changes: Partial<EventHead>, data: string | Buffer): EventFrame {
  return decodeEventFrame(encodeEventFrame({ ...head, ...changes }, data));
}

/** Data that parsing and serializing would change. */
const DATA = '{ "n":12345678901234567890,"n":1.0, "e":"\\u00e4\\/ä" ,"10":1,"2":2}';

test('the standard format has type, timestamp and data, with the bytes of data unchanged', () => {
  const { body, contentType, headers } = renderWebhook('standard', frame({}, DATA));
  assert.equal(
    body.toString(),
    `{"type":"order.created","timestamp":"2026-01-31T12:00:00.123Z","data":${DATA}}`,
  );
  assert.equal(contentType, 'application/json');
  assert.deepEqual(headers, {});
});

test('the data format has only the bytes, under the content type of the producer', () => {
  assert.deepEqual(renderWebhook('data', frame({}, DATA)), {
    body: Buffer.from(DATA),
    contentType: 'application/json',
    headers: {},
  });
  const image = frame({ kind: 'binary', contentType: 'image/png' }, Buffer.from([0, 255, 10, 13]));
  assert.deepEqual(renderWebhook('data', image), {
    body: Buffer.from([0, 255, 10, 13]),
    contentType: 'image/png',
    headers: {},
  });
});

test('the envelopes have text as a JSON string and bytes as base64', () => {
  const text = frame({ kind: 'text', contentType: 'text/plain' }, 'say "ä"\n');
  const bytes = frame({ kind: 'binary', contentType: 'image/png' }, Buffer.from([0, 255, 254]));
  for (const format of ['standard', 'cloudevents-structured'] as const) {
    const stated = JSON.parse(renderWebhook(format, text).body.toString()) as { data: string };
    assert.equal(stated.data, 'say "ä"\n');
    const sent = JSON.parse(renderWebhook(format, bytes).body.toString()) as Record<string, string>;
    assert.equal(sent['data_base64'], 'AP/+');
    assert.ok(!('data' in sent));
  }
});

test('an event without data has neither data nor a content type in any format', () => {
  const event = frame({ noData: true, ext: { n: 7, on: false } }, 'null');
  const standard = '{"type":"order.created","timestamp":"2026-01-31T12:00:00.123Z"}';
  assert.equal(renderWebhook('standard', event).body.toString(), standard);
  const structured = JSON.parse(renderWebhook('cloudevents-structured', event).body.toString());
  assert.deepEqual(Object.keys(structured), [
    'specversion',
    'id',
    'source',
    'type',
    'time',
    'n',
    'on',
  ]);
  const bare = { body: Buffer.alloc(0), headers: {} };
  assert.deepEqual(renderWebhook('data', event), bare);
  const { headers, ...binary } = renderWebhook('cloudevents-binary', event);
  assert.deepEqual({ ...binary, headers: {} }, bare);
  assert.equal(headers['ce-on'], 'false');
  const typed = frame({ noData: true, contentType: 'text/plain' }, 'null');
  assert.deepEqual(renderWebhook('data', typed), { ...bare, contentType: 'text/plain' });
});

test('a CloudEvent keeps its own id when the webhook has another', () => {
  const event = frame({ id: 'ce_digest', producerId: 'a.b c' }, DATA);
  const structured = renderWebhook('cloudevents-structured', event).body.toString();
  assert.ok(structured.includes('"id":"a.b c"'));
  assert.equal(renderWebhook('cloudevents-binary', event).headers['ce-id'], 'a.b%20c');
});

test('bytes without a media type are not labelled as JSON', () => {
  const event = frame({ kind: 'binary' }, Buffer.from([0, 255]));
  assert.equal(renderWebhook('data', event).contentType, 'application/octet-stream');
});

test('the cloudevents-structured format has every attribute, and data as it was sent', () => {
  const full = frame(
    { subject: 'a', dataschema: 'https://x/s', ext: { region: 'eu', n: 7 } },
    DATA,
  );
  const { body, contentType } = renderWebhook('cloudevents-structured', full);
  assert.match(String(contentType), /^application\/cloudevents\+json/);
  assert.ok(body.toString().endsWith(`,"data":${DATA}}`));
  const { data, ...attributes } = JSON.parse(body.toString()) as Record<string, unknown>;
  assert.deepEqual(attributes, {
    specversion: '1.0',
    id: 'evt_1',
    source: '/shop',
    type: 'order.created',
    time: '2026-01-31T12:00:00.123Z',
    subject: 'a',
    dataschema: 'https://x/s',
    region: 'eu',
    n: 7,
  });
  assert.deepEqual(data, JSON.parse(DATA));
});

test('the cloudevents-binary format has attributes as headers, percent-encoded when needed', () => {
  const event = frame({ subject: 'ä "%" 1', ext: { emoji: '\u{1f600}' } }, DATA);
  const { body, contentType, headers } = renderWebhook('cloudevents-binary', event);
  assert.equal(body.toString(), DATA);
  assert.equal(contentType, 'application/json');
  assert.deepEqual(headers, {
    'ce-specversion': '1.0',
    'ce-id': 'evt_1',
    'ce-source': '/shop',
    'ce-type': 'order.created',
    'ce-time': '2026-01-31T12:00:00.123Z',
    'ce-subject': '%C3%A4%20%22%25%22%201',
    'ce-emoji': '%F0%9F%98%80',
  });
});

for (const format of ['cloudevents-structured', 'cloudevents-binary'] as const) {
  test(`${format}: the cloudevents package reads the webhook`, () => {
    const changes = { subject: 'order-7', dataschema: 'https://x/s', ext: { region: 'eu' } };
    const { body, contentType, headers } = renderWebhook(format, frame(changes, DATA));
    const event = HTTP.toEvent({
      headers: { ...headers, 'content-type': String(contentType) },
      body: body.toString(),
    });
    assert.ok(!Array.isArray(event));
    const { id, source, type, time, subject, dataschema, data } = event;
    assert.deepEqual(
      { id, source, type, time, subject, dataschema, region: event['region'], data },
      {
        id: 'evt_1',
        source: '/shop',
        type: 'order.created',
        time: head.time,
        subject: 'order-7',
        dataschema: 'https://x/s',
        region: 'eu',
        data: JSON.parse(DATA),
      },
    );
  });
}

test('envelopes are JSON and headers are plain ASCII for any attributes', () => {
  fc.assert(
    fc.property(eventHead, anyBytes, unicodeText, (attributes, bytes, text) => {
      const data = { json: JSON.stringify(text), text, binary: bytes }[attributes.kind];
      const event = decodeEventFrame(encodeEventFrame(attributes, data));
      for (const format of ['standard', 'cloudevents-structured'] as const) {
        const body = JSON.parse(renderWebhook(format, event).body.toString()) as {
          data?: unknown;
          data_base64?: string;
        };
        if (attributes.kind === 'binary') {
          assert.deepEqual(Buffer.from(body.data_base64 as string, 'base64'), bytes);
        } else assert.equal(body.data, text);
      }
      const { headers } = renderWebhook('cloudevents-binary', event);
      for (const value of Object.values(headers)) assert.match(value, /^[\x21-\x7e]*$/);
    }),
  );
});
