import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type HealthFacts,
  type HealthRules,
  type Announcement,
  type Transition,
  failingSince,
  nextTransition,
} from '#src/control/health/transitions.ts';

const rules: HealthRules = { active: true, countFromMs: 0, disableAfterMs: 1000 };
const failing = (
  sinceMs: number,
  lastMs: number,
  successMs: number | null = null,
): HealthFacts => ({
  failingSinceMs: sinceMs,
  lastFailureMs: lastMs,
  lastSuccessMs: successMs,
});

/**
 * Plays attempts, each at its time, and returns every step with the time of the attempt that caused
 * it.
 */
function play(
  attempts: [atMs: number, ok: boolean][],
  from: HealthRules = rules,
): [number, Transition][] {
  const steps: [number, Transition][] = [];
  const facts: HealthFacts = { failingSinceMs: null, lastFailureMs: null, lastSuccessMs: null };
  let announced: Announcement | null = null;
  let active = true;
  for (const [atMs, ok] of attempts) {
    if (ok) Object.assign(facts, { lastSuccessMs: atMs, failingSinceMs: null });
    else facts.failingSinceMs ??= atMs;
    if (!ok) facts.lastFailureMs = atMs;
    for (;;) {
      const step = nextTransition(facts, announced, { ...from, active });
      if (step === undefined) break;
      steps.push([atMs, step]);
      const { episodeMs } = step;
      if (step.kind === 'recover') announced = null;
      else announced = { episodeMs, level: step.kind === 'warn' ? step.level : 100, atMs };
      if (step.kind === 'disable') active = false;
    }
  }
  return steps;
}

const every = (stepMs: number, untilMs: number, ok = false): [number, boolean][] =>
  Array.from({ length: untilMs / stepMs }, (_, i) => [100 + i * stepMs, ok]);

test('an endpoint that only fails is warned at 50, 75 and 90 %, each once, and then disabled', () => {
  const steps = play(every(10, 3000));
  assert.deepEqual(steps, [
    [600, { kind: 'warn', episodeMs: 100, level: 50 }],
    [850, { kind: 'warn', episodeMs: 100, level: 75 }],
    [1000, { kind: 'warn', episodeMs: 100, level: 90 }],
    [1100, { kind: 'disable', episodeMs: 100 }],
  ]);
});

test('one success resets the period, and is announced only after a warning', () => {
  assert.deepEqual(play([...every(10, 400), [700, true], ...every(10, 400)]), []);
  const steps = play([...every(10, 600), [800, true], [900, false], [1390, false]]);
  assert.deepEqual(steps, [
    [600, { kind: 'warn', episodeMs: 100, level: 50 }],
    [800, { kind: 'recover', episodeMs: 100 }],
  ]);
});

test('an endpoint is never disabled without a warning in the same period, even after a long pause', () => {
  assert.deepEqual(
    play([
      [100, false],
      [99_000, false],
    ]),
    [[99_000, { kind: 'warn', episodeMs: 100, level: 90 }]],
  );
  const third = play([
    [100, false],
    [99_000, false],
    [99_001, false],
  ]);
  assert.deepEqual(third.at(-1), [99_001, { kind: 'disable', episodeMs: 100 }]);
});

test('time without attempts does not count: the period is measured between failures', () => {
  assert.deepEqual(play([[100, false]]), []);
  assert.equal(nextTransition(failing(100, 599), null, rules), undefined);
  assert.equal(nextTransition(failing(100, 600), null, rules)?.kind, 'warn');
});

test('failures before activation, or at another URL, do not count', () => {
  const activated = { ...rules, countFromMs: 5000 };
  const announced = { episodeMs: 100, level: 100, atMs: 4000 };
  assert.equal(nextTransition(failing(100, 4999), announced, activated), undefined);
  assert.equal(failingSince(failing(100, 4999), activated), null);
  assert.equal(failingSince(failing(100, 5001), activated), 5000);
  // All warnings of the previous period were sent. The new period starts with its first warning.
  assert.deepEqual(nextTransition(failing(100, 5500), announced, activated), {
    kind: 'warn',
    episodeMs: 5000,
    level: 50,
  });
});

test('an inactive endpoint gets no steps, and its recovery is announced once it works', () => {
  const paused = { ...rules, active: false };
  assert.equal(nextTransition(failing(100, 9000), null, paused), undefined);
  const announced = { episodeMs: 100, level: 100, atMs: 4000 };
  const works = { failingSinceMs: null, lastFailureMs: 2000, lastSuccessMs: 6000 };
  assert.deepEqual(nextTransition(works, announced, { ...rules, countFromMs: 5000 }), {
    kind: 'recover',
    episodeMs: 100,
  });
});

test('a repeated evaluation, or an earlier first failure found late, announces nothing again', () => {
  const announced = { episodeMs: 100, level: 50, atMs: 600 };
  assert.equal(nextTransition(failing(100, 700), announced, rules), undefined);
  assert.equal(nextTransition(failing(90, 700), announced, rules), undefined);
  // A success that was seen together with newer failures.
  assert.equal(nextTransition(failing(800, 900, 790), announced, rules)?.kind, 'recover');
});
