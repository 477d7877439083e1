import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Flow } from '#domain/contention/deficit-round-robin.ts';
import { TurnScheduler, type TurnTaker } from '#src/delivery/scheduling/turn-scheduler.ts';

/** A tenant with `todo` attempts to run; each start is written to `log`. */
class Taker implements TurnTaker {
  readonly flow: Flow<TurnTaker> = new Flow<TurnTaker>(this);
  readonly weight: number;
  readonly name: string;
  /** The running attempts; the test ends them. */
  running = 0;
  private readonly log: string[];
  private left: number;

  constructor(name: string, left: number, log: string[], weight = 1) {
    this.name = name;
    this.left = left;
    this.log = log;
    this.weight = weight;
  }

  get hasRunnable(): boolean {
    return this.left > 0;
  }

  runNext(): boolean {
    if (this.left === 0) return false;
    this.left--;
    this.log.push(this.name);
    return true;
  }
}

/** A tenant whose attempts count as running until the test ends them. */
class Hanging extends Taker {
  override runNext(): boolean {
    const started = super.runNext();
    if (started) this.running++;
    return started;
  }
}

test('all attempts run while slots are free, and never more than there are slots', () => {
  const log: string[] = [];
  const scheduler = new TurnScheduler(5);
  scheduler.ready(new Taker('a', 3, log));
  assert.equal(scheduler.inFlight, 3);
  scheduler.ready(new Taker('b', 10, log));
  assert.equal(scheduler.inFlight, 5);
  scheduler.release();
  assert.equal(scheduler.inFlight, 5);
  assert.equal(log.length, 6);
});

test('a tenant with a flood gets every other slot, not all of them', () => {
  const log: string[] = [];
  const scheduler = new TurnScheduler(1);
  scheduler.ready(new Taker('flood', 100, log));
  scheduler.ready(new Taker('quiet', 3, log));
  for (let i = 0; i < 6; i++) scheduler.release();
  assert.deepEqual(log.slice(1, 7), ['flood', 'quiet', 'flood', 'quiet', 'flood', 'quiet']);
});

test('slots are shared by weight', () => {
  const log: string[] = [];
  const scheduler = new TurnScheduler(8);
  scheduler.ready(new Taker('first', 8, log));
  scheduler.ready(new Taker('heavy', 1000, log, 3));
  scheduler.ready(new Taker('light', 1000, log, 1));
  for (let i = 0; i < 400; i++) scheduler.release();
  const heavy = log.filter((name) => name === 'heavy').length;
  const light = log.filter((name) => name === 'light').length;
  assert.ok(Math.abs(heavy - 3 * light) <= 3, `${heavy} to ${light}`);
});

test('a tenant whose attempts do not end leaves slots for other tenants', () => {
  const log: string[] = [];
  const scheduler = new TurnScheduler(100);
  const hanging = new Hanging('hanging', 1000, log);
  scheduler.ready(hanging);
  assert.equal(hanging.running, 80);
  const others = ['b', 'c', 'd'].map((name) => new Hanging(name, 1, log));
  for (const other of others) scheduler.ready(other);
  assert.deepEqual(log.slice(80), ['b', 'c', 'd'], 'each immediately');
  for (const other of others) {
    other.running = 0;
    scheduler.release();
  }
  // The next of its attempts starts as soon as one ends.
  hanging.running--;
  scheduler.release();
  assert.equal(hanging.running, 80);
});
