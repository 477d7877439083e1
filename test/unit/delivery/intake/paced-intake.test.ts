import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PacedIntake } from '#src/delivery/intake/paced-intake.ts';
import { waitUntil } from '#testkit/wait-until.ts';

function intakeOf<T>(take: (message: T) => void, utilization = 0.9): PacedIntake<T> {
  const loop = { utilization: () => utilization, now: () => performance.now() };
  return new PacedIntake({ take, loop });
}

test('a burst is processed in order, and other work runs in between', async () => {
  const taken: number[] = [];
  const intake = intakeOf<number>((n) => void taken.push(n));
  let seen = 0;
  let most = 0;
  const poll = () => {
    most = Math.max(most, taken.length - seen);
    seen = taken.length;
    if (seen < 200) setImmediate(poll);
  };
  for (let n = 0; n < 200; n++) intake.push(n);
  setImmediate(poll);
  await waitUntil(() => taken.length === 200);
  assert.deepEqual(
    taken,
    Array.from({ length: 200 }, (_, n) => n),
  );
  assert.ok(most <= 4, `at most a few in a turn, but ${most}`);
});

test('a message is processed in the next turn when none waits before it', async () => {
  const taken: number[] = [];
  const intake = intakeOf<number>((n) => void taken.push(n));
  for (let n = 0; n < 3; n++) {
    intake.push(n);
    await waitUntil(() => taken.length === n + 1);
  }
});

test('a stopped intake processes no more messages', async () => {
  const taken: number[] = [];
  const intake = intakeOf<number>((n) => void taken.push(n));
  for (let n = 0; n < 100; n++) intake.push(n);
  intake.stop();
  const before = taken.length;
  assert.ok(before <= 8);
  let turns = 0;
  // Another intake, started later, has processed messages; the stopped one has not.
  const counting = intakeOf<number>(() => void turns++);
  for (let n = 0; n < 100; n++) counting.push(n);
  await waitUntil(() => turns === 100);
  intake.push(7);
  assert.equal(taken.length, before);
});

test('the batches grow while the event loop is idle', async () => {
  let taken = 0;
  let most = 0;
  let seen = 0;
  const poll = (until: number) => {
    most = Math.max(most, taken - seen);
    seen = taken;
    if (seen < until) setImmediate(poll, until);
  };
  const intake = intakeOf<number>(() => void taken++, 0.1);
  for (let n = 0; n < 500; n++) intake.push(n);
  poll(500);
  await waitUntil(() => taken === 500);
  assert.ok(most > 4, `more than at first, but ${most}`);
});
