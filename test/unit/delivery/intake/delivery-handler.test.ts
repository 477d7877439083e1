import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsMsg } from '@nats-io/jetstream';
import { pino } from 'pino';
import { systemClock } from '#infra/system-clock.ts';
import { createDeliveryHandler } from '#src/delivery/intake/delivery-handler.ts';
import { encodeDeliveryFrame } from '#wire/frames/delivery-frame.ts';
import { encodeEventFrame } from '#wire/frames/event-frame.ts';
import { subjects } from '#wire/subjects.ts';

function message(stated: string[]): JsMsg {
  const event = { id: 'e1', type: 'a.b', source: '/s', time: '2026-01-01T00:00:00Z' };
  const frame = encodeEventFrame(
    { ...event, kind: 'json', acceptedMs: 0, correlationId: 'req_1' },
    '{}',
  );
  const head = { id: 'dlv_1', endpoint: 'ep_1', attemptNo: 1, hop: 0, eventSeq: 1 };
  return {
    subject: subjects.delivery('acme', 'ep_1'),
    data: encodeDeliveryFrame(head, frame),
    ack: () => stated.push('ack'),
    nak: () => stated.push('nak'),
    term: () => stated.push('term'),
  } as unknown as JsMsg;
}

test('an internal error naks the delivery, and its redelivery is processed', () => {
  const stated: string[] = [];
  const claimed = new Set<string>();
  let faulty = true;
  const handle = createDeliveryHandler({
    clock: systemClock,
    settler: {
      claim: (_tenant, { id }) => {
        if (claimed.has(id)) return 'in_flight';
        claimed.add(id);
        return 'new';
      },
      unclaim: ({ id }) => void claimed.delete(id),
    },
    table: {
      deliver: () => {
        if (faulty) throw new Error('a bug');
        stated.push('delivered');
      },
    },
    fence: { watch: (watched) => watched as never },
    log: pino({ level: 'silent' }),
  });
  handle(message(stated));
  assert.deepEqual(stated, ['nak']);
  faulty = false;
  handle(message(stated));
  assert.deepEqual(stated, ['nak', 'delivered']);
});
