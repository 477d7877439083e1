import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Publication, Published } from '#infra/nats/publish/publisher.ts';
import { createLog } from '#infra/telemetry/log.ts';
import { OrderedPublisher } from '#src/router/scheduling/ordered-publisher.ts';

/** Publications that the test has not answered yet. */
class Outside {
  readonly sent: { messageId: string; done: Published }[] = [];
  readonly waiting: (() => void)[] = [];
  full = false;

  publish(publication: Publication, done: Published): boolean {
    if (this.full) return false;
    this.sent.push({ messageId: publication.messageId, done });
    return true;
  }

  whenRoom(callback: () => void): void {
    this.waiting.push(callback);
  }

  get ids(): string[] {
    return this.sent.map(({ messageId }) => messageId);
  }

  answer(error?: Error): void {
    this.sent.at(-1)?.done(error, undefined);
  }
}

function start(t: TestContext): { ordered: OrderedPublisher; outside: Outside } {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const outside = new Outside();
  const ordered = new OrderedPublisher({ publisher: outside, log: createLog('silent') });
  return { ordered, outside };
}

function entry(messageId: string, done: string[], isOwner = (): boolean => true) {
  const publication = { subject: 'a', payload: Buffer.alloc(0), messageId, timeoutMs: 1000 };
  return { make: () => publication, isOwner, done: () => done.push(messageId) };
}

test('a delivery waits for the PubAck of the one before on its subject only', (t) => {
  const { ordered, outside } = start(t);
  const done: string[] = [];
  for (const id of ['a1', 'a2', 'a3']) ordered.add('a', entry(id, done));
  assert.deepEqual(outside.ids, ['a1']);
  outside.answer();
  assert.deepEqual(outside.ids, ['a1', 'a2']);
  outside.answer();
  outside.answer();
  assert.deepEqual(done, ['a1', 'a2', 'a3']);
  ordered.add('b', entry('b1', done));
  ordered.add('a', entry('a4', done));
  assert.deepEqual(outside.ids.slice(3), ['b1', 'a4']);
});

test('a delivery that is not stored is retried before any later one', (t) => {
  const { ordered, outside } = start(t);
  const done: string[] = [];
  for (const id of ['a1', 'a2']) ordered.add('a', entry(id, done));
  outside.answer(new Error('not stored in time'));
  assert.deepEqual(outside.ids, ['a1']);
  t.mock.timers.tick(1000);
  assert.deepEqual(outside.ids, ['a1', 'a1']);
  outside.answer();
  assert.deepEqual(outside.ids, ['a1', 'a1', 'a2']);
  assert.deepEqual(done, ['a1']);
});

test('a fan-out without room waits for room', (t) => {
  const { ordered, outside } = start(t);
  outside.full = true;
  ordered.add('a', entry('a1', []));
  assert.deepEqual(outside.ids, []);
  outside.full = false;
  outside.waiting[0]?.();
  assert.deepEqual(outside.ids, ['a1']);
});

test('a router that lost the shard publishes nothing more of it', (t) => {
  const { ordered, outside } = start(t);
  const done: string[] = [];
  let owns = true;
  for (const id of ['a1', 'a2', 'a3'])
    ordered.add(
      'a',
      entry(id, done, () => owns),
    );
  outside.answer(new Error('not stored in time'));
  owns = false;
  t.mock.timers.tick(1000);
  assert.deepEqual(outside.ids, ['a1']);
  assert.deepEqual(done, ['a1', 'a2', 'a3']);
});
