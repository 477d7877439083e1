import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsMsg } from '@nats-io/jetstream';
import { ConsumedEvent, type EventWalk } from '#src/router/in-flight-event.ts';

/** An event whose answers to the server, ends and reports to the walk are recorded, in order. */
function recorded() {
  const calls: string[] = [];
  const message = (name: string): JsMsg =>
    ({
      seq: 7,
      subject: 'ev.0.acme.x',
      time: new Date(1000),
      ack: () => calls.push(`${name} ack`),
      nak: (ms: number) => calls.push(`${name} nak ${ms}`),
      term: (reason: string) => calls.push(`${name} term ${reason}`),
      working: () => calls.push(`${name} working`),
    }) as object as JsMsg;
  const event = new ConsumedEvent(message('first'), {
    restMsMax: 30_000,
    isOwner: () => true,
    onEnd: (_event, ms) => calls.push(ms === undefined ? 'end' : `end for ${ms}`),
  });
  const walk: EventWalk = {
    isOwner: () => true,
    onRouted: () => calls.push('routed'),
    onRest: (_event, ms) => calls.push(`rest ${ms}`),
  };
  return { calls, event, message, walk };
}

test('an event of the consumer has the tenant of its subject and the time of its message', () => {
  const { event } = recorded();
  assert.deepEqual([event.seq, event.tenant, event.storedMs], [7, 'acme', 1000]);
});

test('a nak rests for the longest allowed time when the delay is longer', () => {
  const { calls, event } = recorded();
  event.nak(3_600_000);
  event.nak(5);
  assert.deepEqual(calls, ['first nak 30000', 'end for 30000', 'first nak 5', 'end for 5']);
});

test('the newest delivery is answered when an event was redelivered in flight', () => {
  const { calls, event, message } = recorded();
  event.redelivered(message('second'));
  event.working();
  event.ack();
  assert.deepEqual(calls, ['second working', 'second ack', 'end']);
});

test('a detached event is acked once and then answers to its walk only', () => {
  const { calls, event, walk } = recorded();
  event.joinWalk(walk);
  event.detach();
  assert.deepEqual(calls.splice(0), ['first ack', 'end']);
  event.working();
  event.nak(3_600_000);
  event.drop();
  event.ack();
  event.term('expired');
  assert.deepEqual(calls, ['rest 3600000', 'routed', 'routed']);
});

test('a term gives the server its reason, and a drop answers nothing', () => {
  const { calls, event } = recorded();
  event.term('unknown tenant');
  event.drop();
  assert.deepEqual(calls, ['first term unknown tenant', 'end', 'end']);
});
