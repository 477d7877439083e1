import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { type TestContext, test } from 'node:test';
import { systemClock } from '#infra/system-clock.ts';
import { createLog } from '#infra/telemetry/log.ts';
import { exitCodes, type Running, runUntilStopped } from '#src/app/run/run-until-stopped.ts';

/** A process that records how it was ended. */
function fakeProcess() {
  const signals = new EventEmitter();
  const exited = Promise.withResolvers<number>();
  return {
    signals,
    exited: exited.promise,
    on: signals.on.bind(signals) as unknown as NodeJS.Process['on'],
    exit: ((code: number) => exited.resolve(code)) as unknown as NodeJS.Process['exit'],
  };
}

function run(fake: ReturnType<typeof fakeProcess>, running: Running): Promise<number> {
  const log = createLog('silent');
  return runUntilStopped({
    clock: systemClock,
    begin: async () => running,
    stopDeadlineMs: 50,
    log,
    process: fake,
  });
}

const never = new Promise<void>(() => undefined);
const limited = { timeout: 10_000 };

/** A pending deadline keeps no process alive, so this timer does until the test ends. */
function stayAlive(t: TestContext): void {
  const timer = setInterval(() => undefined, 1000);
  t.after(() => clearInterval(timer));
}

test('a process that ends without a stop request is stopped with the exit code of a bug', async () => {
  let stopped = false;
  const running = { done: Promise.resolve(), stop: async () => void (stopped = true) };
  assert.equal(await run(fakeProcess(), running), exitCodes.bug);
  assert.ok(stopped);
});

test(
  'a process that ends without a stop request is killed at the deadline when its stop hangs',
  limited,
  async (t) => {
    stayAlive(t);
    const fake = fakeProcess();
    void run(fake, { done: Promise.resolve(), stop: () => never });
    assert.equal(await fake.exited, exitCodes.bug);
  },
);

test('a process that does not stop when asked is killed at the deadline', limited, async (t) => {
  stayAlive(t);
  const fake = fakeProcess();
  void run(fake, { done: never, stop: () => never });
  fake.signals.emit('SIGTERM');
  assert.equal(await fake.exited, exitCodes.bug);
});

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  test(`${signal} stops a process in order`, async () => {
    const fake = fakeProcess();
    const ended = run(fake, { done: never, stop: async () => undefined });
    fake.signals.emit(signal);
    assert.equal(await ended, exitCodes.ok);
  });
}
