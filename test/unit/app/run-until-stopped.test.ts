import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { type TestContext, test } from 'node:test';
import { createLog } from '#infra/telemetry/log.ts';
import { exitCodes, type Running, runUntilStopped } from '#src/app/run/run-until-stopped.ts';

/** A process that only says how it was ended. */
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
  return runUntilStopped({ begin: async () => running, stopDeadlineMs: 50, log, process: fake });
}

const never = new Promise<void>(() => undefined);
const limited = { timeout: 10_000 };

/** A deadline keeps no process running, so the test has to run as long as it. */
function stayAlive(t: TestContext): void {
  const timer = setInterval(() => undefined, 1000);
  t.after(() => clearInterval(timer));
}

test('what is done unasked is stopped, and says that it is to be started again', async () => {
  let stopped = false;
  const running = { done: Promise.resolve(), stop: async () => void (stopped = true) };
  assert.equal(await run(fakeProcess(), running), exitCodes.bug);
  assert.ok(stopped);
});

test(
  'what ends unasked and does not come to a stop is ended at the deadline',
  limited,
  async (t) => {
    stayAlive(t);
    const fake = fakeProcess();
    void run(fake, { done: Promise.resolve(), stop: () => never });
    assert.equal(await fake.exited, exitCodes.bug);
  },
);

test('what is asked to stop and does not is ended at the deadline', limited, async (t) => {
  stayAlive(t);
  const fake = fakeProcess();
  void run(fake, { done: never, stop: () => never });
  fake.signals.emit('SIGTERM');
  assert.equal(await fake.exited, exitCodes.bug);
});

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  test(`${signal} stops it in order`, async () => {
    const fake = fakeProcess();
    const ended = run(fake, { done: never, stop: async () => undefined });
    fake.signals.emit(signal);
    assert.equal(await ended, exitCodes.ok);
  });
}
