import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GentleIntake } from '#src/delivery/gentle-intake.ts';
import { waitUntil } from '#testkit/wait-until.ts';

test('everything is let in, in order, and others have their turn meanwhile', async () => {
  const taken: number[] = [];
  const intake = new GentleIntake<number>((n) => void taken.push(n));
  let seen = 0;
  let most = 0;
  const look = () => {
    most = Math.max(most, taken.length - seen);
    seen = taken.length;
    if (seen < 1000) setImmediate(look);
  };
  for (let n = 0; n < 1000; n++) intake.push(n);
  setImmediate(look);
  await waitUntil(() => taken.length === 1000);
  assert.deepEqual(
    taken,
    Array.from({ length: 1000 }, (_, n) => n),
  );
  assert.ok(most <= 16, `at most a few in a turn, but ${most}`);
});

test('one that comes while nothing waits is let in in the next turn', async () => {
  const taken: number[] = [];
  const intake = new GentleIntake<number>((n) => void taken.push(n));
  for (let n = 0; n < 3; n++) {
    intake.push(n);
    await waitUntil(() => taken.length === n + 1);
  }
});

test('stopped, it lets nothing more in', async () => {
  const taken: number[] = [];
  const intake = new GentleIntake<number>((n) => void taken.push(n));
  for (let n = 0; n < 100; n++) intake.push(n);
  intake.stop();
  const before = taken.length;
  assert.ok(before <= 8);
  let turns = 0;
  // Another one, begun later, has had its turns; this one has had none.
  const counting = new GentleIntake<number>(() => void turns++);
  for (let n = 0; n < 100; n++) counting.push(n);
  await waitUntil(() => turns === 100);
  intake.push(7);
  assert.equal(taken.length, before);
});
