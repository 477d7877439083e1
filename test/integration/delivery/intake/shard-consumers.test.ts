/**
 * A shard that is lost, released or acquired again during its opening: no message is pulled without
 * the lease.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { ShardConsumers } from '#src/delivery/intake/shard-consumers.ts';
import { shardLifecycle } from '#src/delivery/intake/shard-lifecycle.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { consumers, streams, subjects } from '#wire/subjects.ts';
import { type NatsCore, startNatsCore } from '../../nats-core.ts';

const TAPPED = [consumers.deliverHigh, consumers.deliverShared, consumers.deliverRepeats];
const STREAM = streams.deliveries(0);

interface Opened {
  core: NatsCore;
  work: ReturnType<typeof shardLifecycle>;
  /** Steps of the life cycle that concern no consumer, in order. */
  steps: string[];
  taken: string[];
  /**
   * The next call of the nth step of an opening (two for each consumer, then the lanes) waits until
   * `go`.
   */
  holdAt: (step: number) => { reached: Promise<void>; go: () => void };
}

/** A worker's part of its shard, on real NATS. */
async function start(t: TestContext): Promise<Opened> {
  const core = await startNatsCore(t);
  const steps: string[] = [];
  const taken: string[] = [];
  let calls = 0;
  let hold: { at: number; reached: () => void; released: Promise<void> } | undefined;
  const passed = async <T>(answer: T): Promise<T> => {
    if (++calls === hold?.at) {
      const { reached, released } = hold;
      hold = undefined;
      reached();
      await released;
    }
    return answer;
  };
  const resets = core.jsm.consumers;
  const reset = resets.reset.bind(resets);
  t.mock.method(resets, 'reset', async (stream: string, name: string) => {
    return passed(await reset(stream, name));
  });
  const pulls = core.js.consumers;
  const get = pulls.get.bind(pulls);
  t.mock.method(pulls, 'get', async (stream: string, name: string) => {
    return passed(await get(stream, name));
  });
  const drainMs = 1000;
  const shardConsumers = new ShardConsumers({
    ...core,
    shards: 1,
    table: { releaseUnstarted: () => undefined, isIdle: () => true },
    settler: { isStoring: () => false },
    fence: { pass: () => Promise.resolve() },
    lanes: {
      async open() {
        steps.push('lanes opened');
        await passed(undefined);
      },
      close: () => void steps.push('lanes closed'),
    },
    onMessage(message) {
      taken.push(message.string());
      message.ack();
    },
    owns: () => true,
    drainMs,
  });
  const work = shardLifecycle(
    shardConsumers,
    [
      {
        open: () => void steps.push('queues opened'),
        close: () => void steps.push('queues closed'),
        settled: () => Promise.resolve(),
      },
      { open: () => {}, close: () => {} },
    ],
    drainMs,
  );
  t.after(() => shardConsumers.close(0));
  const holdAt = (step: number): ReturnType<Opened['holdAt']> => {
    const reached = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    hold = { at: calls + step, reached: reached.resolve, released: released.promise };
    return { reached: reached.promise, go: released.resolve };
  };
  return { core, work, steps, taken, holdAt };
}

/** Open pulls of each consumer, as the server reports them. */
async function pullsOf({ jsm }: NatsCore): Promise<number[]> {
  const infos = await Promise.all(TAPPED.map((name) => jsm.consumers.info(STREAM, name)));
  return infos.map(({ num_waiting }) => num_waiting);
}

/** Waits until the server has also ended the stopped pulls. */
function pullsBecome(core: NatsCore, each: number): Promise<boolean> {
  const wanted = TAPPED.map(() => each).join();
  const is = async (): Promise<boolean> => (await pullsOf(core)).join() === wanted;
  return waitUntil(is, { what: `${each} open pulls of each consumer` });
}

const STEPS_BEFORE_LANES = 2 * TAPPED.length;

test('a shard is not opened when it is lost during the opening', async (t) => {
  const { core, work, steps, holdAt } = await start(t);
  for (let step = 1; step <= STEPS_BEFORE_LANES; step++) {
    const { reached, go } = holdAt(step);
    const opening = work.onAcquired(0);
    await reached;
    work.onExpired(0);
    go();
    await opening;
    await pullsBecome(core, 0);
  }
  assert.deepEqual(new Set(steps), new Set(['queues closed', 'lanes closed']));
});

test('a shard is not opened when it is released during the opening', async (t) => {
  const { core, work, steps, holdAt } = await start(t);
  const { reached, go } = holdAt(2);
  const opening = work.onAcquired(0);
  await reached;
  await work.onRelease(0);
  go();
  await opening;
  await pullsBecome(core, 0);
  assert.deepEqual(steps, ['queues closed', 'lanes closed']);
});

test('ordered queues are not opened when the shard is lost during the opening of its lanes', async (t) => {
  const { core, work, steps, holdAt } = await start(t);
  const { reached, go } = holdAt(STEPS_BEFORE_LANES + 1);
  const opening = work.onAcquired(0);
  await reached;
  work.onExpired(0);
  go();
  await opening;
  await pullsBecome(core, 0);
  assert.deepEqual(steps, ['lanes opened', 'queues closed', 'lanes closed']);
});

test('a shard belongs to the second opening when it is acquired again during the first', async (t) => {
  for (const step of [1, 2, 5, STEPS_BEFORE_LANES + 1]) {
    await t.test(`at step ${step}`, async (inner) => {
      const { core, work, steps, taken, holdAt } = await start(inner);
      const { reached, go } = holdAt(step);
      const first = work.onAcquired(0);
      await reached;
      work.onExpired(0);
      await work.onAcquired(0);
      const before = [...steps];
      assert.equal(before.at(-1), 'queues opened');
      go();
      await first;
      await pullsBecome(core, 1);
      assert.deepEqual(steps, before);
      await core.js.publish(subjects.delivery('acme', 'ep_1'), 'one');
      await waitUntil(() => taken.length > 0);
      work.onExpired(0);
      await pullsBecome(core, 0);
      assert.deepEqual(taken, ['one']);
    });
  }
});
