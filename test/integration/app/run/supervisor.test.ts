import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '#infra/system-clock.ts';
import { Supervisor } from '#src/app/run/supervisor.ts';
import { ServerProcess } from '#src/embedded/server-process.ts';
import { type Log, createLog } from '#infra/telemetry/log.ts';
import { waitUntil } from '#testkit/wait-until.ts';

const log = createLog('silent');
const shell = (script: string) =>
  ServerProcess.spawn({ name: 'sh', binary: '/bin/sh', args: ['-c', script] });

test('a child that crashes is restarted, until it is stopped', async (t) => {
  let spawned = 0;
  const supervisor = new Supervisor({
    clock: systemClock,
    name: 'child',
    log,
    backoffMsMin: 1,
    backoffMsMax: 4,
    spawn: () => {
      spawned += 1;
      if (spawned === 3) throw new Error('does not come up this time');
      return shell(spawned < 3 ? 'exit 1' : 'exec sleep 600');
    },
  });
  t.after(() => supervisor.stop());
  await supervisor.start();
  const pid = await waitUntil(() => spawned === 4 && supervisor.pid);
  process.kill(pid, 'SIGKILL');
  const next = await waitUntil(() => spawned === 5 && supervisor.pid);
  assert.notEqual(next, pid);
  await supervisor.stop();
  await supervisor.stop();
  assert.equal(supervisor.pid, undefined);
  assert.throws(() => process.kill(next, 0), { code: 'ESRCH' });
  assert.equal(spawned, 5);
});

test('a child whose configuration is wrong is not started again', async (t) => {
  let spawned = 0;
  const supervisor = new Supervisor({
    clock: systemClock,
    name: 'child',
    log,
    backoffMsMin: 1,
    spawn: () => {
      spawned += 1;
      return shell('exit 78');
    },
  });
  t.after(() => supervisor.stop());
  await supervisor.start();
  await assert.rejects(supervisor.hopeless, /child ended with exit code 78/);
  assert.equal(spawned, 1);
});

test('a stop while the child is still coming up ends it too', async (t) => {
  let pid = 0;
  let resume: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    resume = resolve;
  });
  const supervisor = new Supervisor({
    clock: systemClock,
    name: 'child',
    log,
    spawn: async () => {
      const child = await shell('exec sleep 600');
      pid = child.pid;
      await gate;
      return child;
    },
  });
  t.after(() => supervisor.kill());
  const started = supervisor.start();
  await waitUntil(() => pid > 0);
  const stopped = supervisor.stop();
  resume();
  await Promise.all([started, stopped]);
  assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
});

test('while a child is coming up it is logged that it still is', async (t) => {
  const stated: string[] = [];
  const warn = (_facts: object, name: string) => stated.push(name);
  const supervisor = new Supervisor({
    clock: systemClock,
    name: 'child',
    log: { ...log, warn, debug: () => undefined } as unknown as Log,
    sayEveryMs: 1,
    spawn: async () => {
      await waitUntil(() => stated.length >= 2);
      return shell('exec sleep 600');
    },
  });
  t.after(() => supervisor.stop());
  await supervisor.start();
  assert.deepEqual(new Set(stated), new Set(['process.still_starting']));
});
