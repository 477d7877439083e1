import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  type DeliveryHead,
  decodeDeliveryFrame,
  encodeDeliveryFrame,
} from '#wire/frames/delivery-frame.ts';
import { decodeEventFrame, encodeEventFrame } from '#wire/frames/event-frame.ts';
import {
  type HistoryRecord,
  decodeRecords,
  encodeRecord,
  encodeRecords,
} from '#wire/frames/record.ts';
import { anyBytes, anyText, eventHead, eventType, unicodeText } from './arbitrary-event.ts';

test('an event frame returns its head, and its data byte by byte', () => {
  fc.assert(
    fc.property(eventHead, anyBytes, (head, data) => {
      const bytes = encodeEventFrame(head, data);
      const frame = decodeEventFrame(bytes);
      assert.deepEqual(frame.head, head);
      assert.deepEqual(frame.data, data);
      assert.deepEqual(frame.bytes, bytes);
    }),
  );
});

test('data given as text is its UTF-8 bytes', () => {
  fc.assert(
    fc.property(eventHead, unicodeText, (head, data) => {
      assert.deepEqual(encodeEventFrame(head, data), encodeEventFrame(head, Buffer.from(data)));
    }),
  );
});

const deliveryHead: fc.Arbitrary<DeliveryHead> = fc
  .record({
    id: fc.stringMatching(/^dlv_[\w-]{26}$/),
    endpoint: fc.stringMatching(/^ep_[0-9a-z]{26}$/),
    attemptNo: fc.integer({ min: 1, max: 50 }),
    hop: fc.nat(),
    eventSeq: fc.maxSafeNat(),
    byReference: fc.option(
      fc.record({
        id: fc.stringMatching(/^[A-Za-z0-9_:@/+=~|-]{1,200}$/),
        type: eventType,
        acceptedMs: fc.maxSafeNat(),
      }),
      { nil: undefined },
    ),
  })
  .map((head) => JSON.parse(JSON.stringify(head)) as DeliveryHead);

test('a delivery frame returns its head, and the event frame byte by byte', () => {
  fc.assert(
    fc.property(deliveryHead, eventHead, anyBytes, (head, event, data) => {
      const eventBytes = encodeEventFrame(event, data);
      // As received from NATS: a view into a larger piece of memory.
      const larger = Buffer.concat([
        Buffer.from('head'),
        encodeDeliveryFrame(head, eventBytes),
        Buffer.from('tail'),
      ]);
      const view = new Uint8Array(larger.buffer, larger.byteOffset + 4, larger.length - 8);
      const frame = decodeDeliveryFrame(view);
      assert.deepEqual(frame.head, head);
      assert.deepEqual(frame.eventBytes, eventBytes);
      assert.deepEqual(decodeEventFrame(frame.eventBytes).head, event);
    }),
  );
});

const record: fc.Arbitrary<HistoryRecord> = fc
  .record({
    k: fc.constant('delivery' as const),
    tenant: fc.string(),
    event: anyText,
    type: eventType,
    acceptedMs: fc.maxSafeNat(),
    id: fc.string(),
    endpoint: fc.string(),
    hop: fc.nat(),
    status: fc.constantFrom('pending' as const, 'delivered' as const, 'failed' as const),
    reason: fc.option(fc.string(), { nil: undefined }),
    attempt: fc.option(
      fc.record({
        id: fc.string(),
        no: fc.nat(),
        startedMs: fc.maxSafeNat(),
        durationMs: fc.double({ noNaN: true, noDefaultInfinity: true, min: 0 }),
        responseBody: unicodeText,
        responseHeaders: fc.dictionary(fc.stringMatching(/^[a-z-]{1,20}$/), unicodeText),
        worker: fc.string(),
      }),
      { nil: undefined },
    ),
  })
  .map((value) => JSON.parse(JSON.stringify(value)) as HistoryRecord);

test('records survive encoding and decoding with any text', () => {
  fc.assert(
    fc.property(fc.array(record), (records) => {
      assert.deepEqual(decodeRecords(encodeRecords(records.map(encodeRecord))), records);
    }),
  );
});

const damaged: [string, string][] = [
  ['nothing', ''],
  ['no line feed', '{"id":"evt_1"}'],
  ['a line that is not JSON', 'x\n{}'],
  ['a line that is no object', 'null\n{}'],
  ['a line without id', '{}\n{}'],
];
for (const [what, bytes] of damaged) {
  test(`damaged bytes (${what}) are rejected, as event and as delivery`, () => {
    assert.throws(() => decodeEventFrame(Buffer.from(bytes)), SyntaxError);
    assert.throws(() => decodeDeliveryFrame(Buffer.from(bytes)), SyntaxError);
  });
}
