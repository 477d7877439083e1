/**
 * All processes together admit at most 1.25 times a rate limit, and its burst, in any 10 s, however
 * requests are spread over them; one process alone is exact. Announcements take 300 ms to arrive.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Registry } from 'prom-client';
import type { RateLimit } from '#domain/endpoint/endpoint-policy.ts';
import type { Demands } from '#domain/rate-limit/share-of-limit.ts';
import { RateLimits } from '#infra/rate-limits/rate-limits.ts';
import { ManualClock } from '#testkit/test-clock.ts';

const STEP_MS = 50;
const MEASURE_STEPS = 5;
const LAG_STEPS = 6;
const WINDOW_STEPS = 10_000 / STEP_MS;
const SUBJECT = 'key.key_a';

/** A process, and the demands of the others that have reached it. */
class Process {
  version = 0;
  joinedMs: number | undefined;
  own: number | undefined;
  readonly known = new Map<Process, number | undefined>();
  readonly limits: RateLimits;
  readonly sent: { atStep: number; demand: number | undefined }[] = [];
  step = 0;

  constructor(clock: ManualClock) {
    this.limits = new RateLimits({ shares: this, registry: new Registry(), clock });
  }

  demandsOf(): Demands {
    let others: number | undefined;
    for (const demand of this.known.values()) {
      if (demand !== undefined) others = (others ?? 0) + demand;
    }
    return { processes: 1 + this.known.size, own: this.own, others };
  }

  announce(demands: readonly (readonly [string, number])[]): void {
    this.own = demands[0]?.[1];
    this.version++;
    this.sent.push({ atStep: this.step, demand: this.own });
  }

  /** Delivers what the other sent up to a step. */
  hear(other: Process, upToStep: number): void {
    const last = other.sent.findLast(({ atStep }) => atStep <= upToStep);
    if (last === undefined && this.known.has(other)) return;
    this.known.set(other, last?.demand);
    this.version++;
  }
}

interface Phase {
  /** Requests of each process in a step, relative to what the limit admits in one. */
  loads: number[];
  steps: number;
}

/** The number of requests that all processes admitted in each step. */
function run(limit: RateLimit, count: number, joinAtStep: number, phases: Phase[]): number[] {
  const clock = new ManualClock();
  const all = Array.from({ length: count }, () => new Process(clock));
  // The last process joins later.
  const joining = all.at(-1) as Process;
  const present = joinAtStep > 0 && count > 1 ? all.slice(0, -1) : all;
  for (const one of present) for (const other of present) if (one !== other) one.hear(other, -1);
  const admitted: number[] = [];
  const applied = [{ policy: 'key' as const, subject: SUBJECT, limit }];
  let step = 0;
  const owed = all.map(() => 0);
  for (const { loads, steps } of phases) {
    for (let end = step + steps; step < end; step++) {
      if (!present.includes(joining) && step >= joinAtStep) {
        present.push(joining);
        joining.joinedMs = clock.monotonicMs();
        for (const other of present) if (other !== joining) joining.hear(other, step);
      }
      let sum = 0;
      for (const [index, process] of present.entries()) {
        process.step = step;
        const knowsJoining = process === joining || step >= joinAtStep + LAG_STEPS;
        for (const other of present) {
          if (other !== process && (other !== joining || knowsJoining)) {
            process.hear(other, step - LAG_STEPS);
          }
        }
        const load = (loads[index] ?? 0) * limit.perSecond * (STEP_MS / 1000);
        const requested = Math.floor((owed[index] as number) + load);
        owed[index] = (owed[index] as number) + load - requested;
        for (let i = 0; i < requested; i++) sum += process.limits.admit(applied, 1).admitted;
        if (step % MEASURE_STEPS === 0) process.limits.measure();
      }
      admitted.push(sum);
      clock.advance(STEP_MS);
    }
  }
  return admitted;
}

function mostInWindow(admitted: number[]): number {
  let sum = 0;
  let most = 0;
  for (const [index, count] of admitted.entries()) {
    sum += count - (admitted[index - WINDOW_STEPS] ?? 0);
    most = Math.max(most, sum);
  }
  return most;
}

const phases = (processes: number) =>
  fc.array(
    fc.record({
      loads: fc.array(fc.constantFrom(0, 0, 0.3, 1, 4), {
        minLength: processes,
        maxLength: processes,
      }),
      steps: fc.integer({ min: 5, max: 150 }),
    }),
    { minLength: 2, maxLength: 6 },
  );

const limitOf = fc.record({
  perSecond: fc.constantFrom(20, 100),
  burst: fc.constantFrom(1, 10, 100, 1000),
});

test('all processes together stay within 1.25 times the limit and its burst in any 10 s', () => {
  fc.assert(
    fc.property(
      fc
        .integer({ min: 2, max: 5 })
        .chain((count) =>
          fc.tuple(fc.constant(count), limitOf, fc.integer({ min: 0, max: 100 }), phases(count)),
        ),
      ([count, limit, joinAtStep, given]) => {
        const most = mostInWindow(run(limit, count, joinAtStep, given));
        // Each process may admit one request from a fraction of a token.
        const bound = 12.5 * limit.perSecond + limit.burst + count;
        assert.ok(most <= bound, `${most} in 10 s, at most ${bound} are allowed`);
      },
    ),
    { numRuns: 60 },
  );
});

test('one process alone admits the burst and the rate, and no request more', () => {
  const limit = { perSecond: 20, burst: 50 };
  const admitted = run(limit, 1, 0, [{ loads: [4], steps: 400 }]);
  const total = admitted.reduce((sum, count) => sum + count, 0);
  // 50 at the start, then one each 50 ms.
  assert.equal(total, 50 + 399);
});

test('a process with all of the demand gets the whole limit', () => {
  const limit = { perSecond: 100, burst: 10 };
  const admitted = run(limit, 4, 0, [{ loads: [1.5, 0, 0, 0], steps: 400 }]);
  const lastTenSeconds = admitted.slice(-WINDOW_STEPS).reduce((sum, count) => sum + count, 0);
  assert.ok(lastTenSeconds >= 990, `${lastTenSeconds} of 1000`);
});
