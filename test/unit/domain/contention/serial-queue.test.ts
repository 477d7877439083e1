import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { PerKeySerialQueue } from '#domain/contention/serial-queue.ts';

interface Entry {
  key: string;
  no: number;
  isQuick: boolean;
}

/** A queue whose slow entries, and whose later turns of the event loop, the test runs. */
function startQueue() {
  const started: Entry[] = [];
  const running = new Map<string, Entry>();
  const steps: (() => void)[] = [];
  const queue: PerKeySerialQueue<Entry> = new PerKeySerialQueue({
    start: (entry, key) => {
      assert.ok(!running.has(key), `two entries of ${key} run`);
      started.push(entry);
      if (!entry.isQuick) running.set(key, entry);
      return entry.isQuick;
    },
    soon: (step) => steps.push(step),
  });
  const end = (key: string): void => {
    if (running.delete(key)) queue.ended(key);
  };
  const runSteps = (): void => {
    for (const step of steps.splice(0)) step();
  };
  return { queue, started, running, steps, end, runSteps };
}

const entryOf = (key: string, no: number, isQuick: boolean): Entry => ({ key, no, isQuick });
const numbers = (entries: Iterable<Entry>): number[] => [...entries].map(({ no }) => no);

test('an entry starts after the earlier entries of its key, and never after those of another', () => {
  const { queue, started, end } = startQueue();
  queue.add('a', entryOf('a', 1, false));
  queue.add('a', entryOf('a', 2, true));
  queue.add('a', entryOf('a', 3, false));
  queue.add('b', entryOf('b', 4, true));
  assert.deepEqual(numbers(started), [1, 4]);
  assert.deepEqual(numbers(queue.entries()), [1, 2, 3]);
  end('a');
  assert.deepEqual(numbers(started), [1, 4, 2, 3]);
  end('a');
  assert.deepEqual(numbers(queue.entries()), []);
});

test('an entry that is removed before it starts is never started', () => {
  const { queue, started, end } = startQueue();
  const entries = [1, 2, 3, 4].map((no) => entryOf('a', no, false));
  for (const entry of entries) queue.add('a', entry);
  const [first, second] = entries as [Entry, Entry];
  queue.remove('a', second);
  queue.remove('a', first);
  queue.remove('b', second);
  assert.equal(queue.waiting('a'), 2, 'a started entry is not removed');
  end('a');
  assert.deepEqual(numbers(queue.removeWaiting('a')), [4]);
  end('a');
  assert.deepEqual(numbers(started), [1, 3]);
  assert.equal(queue.waiting('a'), 0);
});

test('many entries that end immediately yield to the event loop in between', () => {
  const { queue, started, end, steps, runSteps } = startQueue();
  queue.add('a', entryOf('a', 0, false));
  for (let no = 1; no <= 100; no++) queue.add('a', entryOf('a', no, true));
  end('a');
  let turns = 1;
  for (; steps.length > 0; turns++) {
    assert.ok(started.length <= 1 + 32 * turns);
    queue.add('a', entryOf('a', 100 + turns, true));
    runSteps();
  }
  assert.equal(turns, 4);
  assert.deepEqual(
    numbers(started),
    Array.from({ length: 104 }, (_, no) => no),
  );
});

test('every entry runs once, alone in its key and in order, while keys come and go', () => {
  const action = fc.record({
    kind: fc.constantFrom('add', 'add', 'end', 'turn'),
    key: fc.constantFrom('a', 'b', 'c'),
    isQuick: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 300 }), (actions) => {
      const { queue, started, running, steps, end, runSteps } = startQueue();
      const added: Entry[] = [];
      actions.forEach(({ kind, key, isQuick }, no) => {
        if (kind === 'end') end(key);
        else if (kind === 'turn') runSteps();
        else {
          const entry = entryOf(key, no, isQuick);
          added.push(entry);
          queue.add(key, entry);
        }
      });
      while (running.size + steps.length > 0) {
        for (const key of running.keys()) end(key);
        runSteps();
      }
      for (const key of ['a', 'b', 'c']) {
        const ofKey = (entries: Entry[]): number[] =>
          numbers(entries.filter((entry) => entry.key === key));
        assert.deepEqual(ofKey(started), ofKey(added));
      }
      assert.deepEqual(numbers(queue.entries()), []);
    }),
  );
});
