import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '#infra/system-clock.ts';
import {
  type PubAck,
  type Publication,
  PublishRefusedError,
  PublishTimeoutError,
  PublishWindowFullError,
  Publisher,
} from '#infra/nats/publish/publisher.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { subjects } from '#wire/subjects.ts';
import { log, startNatsCore, storedMessages } from '../../../nats-core.ts';

const SUBJECT = subjects.event('acme', 'a.b');

function publication(messageId: string, changes: Partial<Publication> = {}): Publication {
  return {
    subject: SUBJECT,
    payload: Buffer.from(`payload of ${messageId}`),
    messageId,
    timeoutMs: 20_000,
    ...changes,
  };
}

/** Counts the callbacks of each publication. */
class Outcomes {
  readonly acks = new Map<string, PubAck[]>();
  readonly errors = new Map<string, Error[]>();

  done(messageId: string): (error: Error | undefined, ack: PubAck | undefined) => void {
    return (error, ack) => {
      if (error === undefined) append(this.acks, messageId, ack as PubAck);
      else append(this.errors, messageId, error);
    };
  }

  get count(): number {
    const all = [...this.acks.values(), ...this.errors.values()];
    return all.reduce((sum, list) => sum + list.length, 0);
  }
}

function append<T>(map: Map<string, T[]>, key: string, value: T): void {
  map.set(key, [...(map.get(key) ?? []), value]);
}

test('an ack names the sequence, and a repeated id is stored once and reported', async (t) => {
  const { publisher, jsm } = await startNatsCore(t);
  const first = await publisher.publishAsync(publication('one'));
  assert.deepEqual(first, { seq: 1, duplicate: false });
  const again = await publisher.publishAsync(publication('one', { payload: Buffer.from('other') }));
  assert.deepEqual(again, { seq: 1, duplicate: true });
  const [stored, ...more] = await storedMessages(jsm, 'EV-0');
  assert.equal(more.length, 0);
  assert.equal(stored?.subject, SUBJECT);
  assert.equal(stored?.messageId, 'one');
  assert.equal(stored?.data.toString(), 'payload of one');
});

test('a full window accepts nothing, and calls waiting callers as soon as there is room', async (t) => {
  const { publisher } = await startNatsCore(t, { window: 4 });
  const outcomes = new Outcomes();
  const ids = ['a', 'b', 'c', 'd'];
  for (const id of ids) assert.ok(publisher.publish(publication(id), outcomes.done(id)));
  assert.equal(publisher.room, 0);
  assert.equal(publisher.publish(publication('e'), outcomes.done('e')), false);
  const waited = new Promise<number>((resolve) => {
    publisher.whenRoom(() => resolve(publisher.room));
  });
  assert.ok((await waited) > 0);
  await waitUntil(() => publisher.inFlight === 0);
  assert.deepEqual([...outcomes.acks.keys()].sort(), ids);
  // 50 through a window of 4.
  const acks = await Promise.all(
    Array.from({ length: 50 }, (_, i) => publisher.publishAsync(publication(`n${i}`))),
  );
  assert.equal(new Set(acks.map(({ seq }) => seq)).size, 50);
});

test('every callback is called once and each id is stored once when the server is killed twice', async (t) => {
  const core = await startNatsCore(t, { window: 64 });
  const outcomes = new Outcomes();
  const total = 3000;
  let next = 0;
  const pump = (): void => {
    while (next < total) {
      const id = `m${next}`;
      const entry = publication(id, { timeoutMs: 60_000 });
      if (!core.publisher.publish(entry, outcomes.done(id))) return core.publisher.whenRoom(pump);
      next++;
    }
  };
  pump();
  for (const killAfter of [300, 1500]) {
    await waitUntil(() => outcomes.count >= killAfter, { deadlineMs: 30_000 });
    await core.killServer();
    await core.restartServer();
  }
  await waitUntil(() => outcomes.count >= total, { deadlineMs: 60_000 });
  assert.equal(outcomes.errors.size, 0);
  assert.equal(outcomes.acks.size, total);
  for (const acks of outcomes.acks.values()) assert.equal(acks.length, 1);
  const ids = (await storedMessages(core.jsm, 'EV-0')).map(({ messageId }) => messageId);
  assert.equal(ids.length, total, 'stored more or less than once');
  assert.equal(new Set(ids).size, total);
});

test('a publication fails in time, and is not stored later, when the server is down', async (t) => {
  const core = await startNatsCore(t);
  const outcomes = new Outcomes();
  await core.publisher.publishAsync(publication('before'));
  await core.killServer();
  core.publisher.publish(publication('lost', { timeoutMs: 300 }), outcomes.done('lost'));
  await waitUntil(() => outcomes.count === 1);
  const [error] = outcomes.errors.get('lost') ?? [];
  assert.ok(error instanceof PublishTimeoutError);
  assert.match(error.message, new RegExp(SUBJECT.replaceAll('.', '\\.')));
  await core.restartServer();
  await core.publisher.publishAsync(publication('after'));
  const ids = (await storedMessages(core.jsm, 'EV-0')).map(({ messageId }) => messageId);
  assert.deepEqual(ids, ['before', 'after']);
});

test('a publication is stored when the server is back', async (t) => {
  const core = await startNatsCore(t);
  await core.killServer();
  await waitUntil(() => !core.publisher.isConnected);
  const stored = core.publisher.publishAsync(publication('patient'));
  await core.restartServer();
  assert.deepEqual(await stored, { seq: 1, duplicate: false });
});

test('a publication that waits for room is refused and not stored when its time limit passes', async (t) => {
  const core = await startNatsCore(t, { window: 1 });
  const outcomes = new Outcomes();
  await core.killServer();
  core.publisher.publish(publication('first', { timeoutMs: 60_000 }), outcomes.done('first'));
  await assert.rejects(
    core.publisher.publishAsync(publication('late', { timeoutMs: 200 })),
    PublishWindowFullError,
  );
  assert.equal(outcomes.count, 0, 'the window was full for the whole time');
  await core.restartServer();
  await core.publisher.publishAsync(publication('next'));
  const ids = (await storedMessages(core.jsm, 'EV-0')).map(({ messageId }) => messageId);
  assert.deepEqual(ids, ['first', 'next']);
});

test('a closed publisher fails publications in flight and later ones, and leaves none waiting', async (t) => {
  const core = await startNatsCore(t);
  const nc = await core.connect();
  const publisher = new Publisher({ clock: systemClock, nc, window: 2, log });
  // It accepts bytes and answers nothing.
  await core.server.kill('SIGSTOP');
  try {
    await checkClosed(publisher);
  } finally {
    await core.server.kill('SIGCONT');
  }
});

async function checkClosed(publisher: Publisher): Promise<void> {
  const outcomes = new Outcomes();
  publisher.publish(publication('a'), outcomes.done('a'));
  publisher.publish(publication('b'), outcomes.done('b'));
  const refused = assert.rejects(publisher.publishAsync(publication('c')), PublishTimeoutError);
  publisher.close();
  await refused;
  publisher.publish(publication('d'), outcomes.done('d'));
  await waitUntil(() => outcomes.count === 3, { deadlineMs: 1000 });
  for (const id of ['a', 'b', 'd']) {
    assert.ok(outcomes.errors.get(id)?.[0] instanceof PublishTimeoutError, id);
  }
}

test("a payload larger than the server's limit is refused, and the next one is stored", async (t) => {
  const { publisher } = await startNatsCore(t);
  const payload = Buffer.alloc(9 * 1024 * 1024);
  await assert.rejects(
    publisher.publishAsync(publication('large', { payload })),
    PublishRefusedError,
  );
  assert.equal((await publisher.publishAsync(publication('small'))).seq, 1);
});

test('a publication times out with a reason when no stream takes its subject or the stream is full', async (t) => {
  const { publisher, jsm } = await startNatsCore(t);
  await assert.rejects(
    publisher.publishAsync(publication('x', { subject: 'nobody.listens', timeoutMs: 300 })),
    (error: Error) => error instanceof PublishTimeoutError && /no leader/.test(error.message),
  );
  const { config } = await jsm.streams.info('EV-0');
  await jsm.streams.update('EV-0', { ...config, max_msgs: 1 });
  await publisher.publishAsync(publication('one'));
  // There may be room again soon: it is retried until its time limit.
  await assert.rejects(
    publisher.publishAsync(publication('two', { timeoutMs: 300 })),
    (error: Error) =>
      error instanceof PublishTimeoutError && /maximum messages/.test(error.message),
  );
});

test('a schedule fires once, not early, with its payload, and is removed', async (t) => {
  const { publisher, jsm } = await startNatsCore(t);
  const target = subjects.delivery('acme', 'ep_1');
  const atMs = Date.now() + 1200;
  const waiting = subjects.waiting('acme', 'ep_1', 'dlv_1');
  const schedule = { atMs, target };
  await publisher.publishAsync(publication('dlv_1:1', { subject: waiting, schedule }));
  // The repeat after a worker's crash: the same step under the same id.
  const again = await publisher.publishAsync(
    publication('dlv_1:1', { subject: waiting, schedule }),
  );
  assert.equal(again.duplicate, true);
  await waitUntil(async () => {
    const stored = await storedMessages(jsm, 'DLV-0');
    const fired = stored.filter(({ subject }) => subject === target);
    if (fired.length === 0) return false;
    assert.ok(Date.now() >= atMs, 'fired early');
    assert.equal(stored.length, 1, 'the schedule is still there, or it fired twice');
    assert.equal(fired[0]?.data.toString(), 'payload of dlv_1:1');
    return true;
  });
});
