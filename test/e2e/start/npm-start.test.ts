import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DataDir } from '#src/app/start/data-dir.ts';
import { commandLine } from '#src/embedded/stale-server.ts';
import { descendantsOf, isRunning } from '../../kit/processes/child-processes.ts';
import { tempDir } from '#testkit/temp-dir.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { PosthornProcess, sendPrinted } from '../posthorn-process.ts';

const NPM_START: [string, ...string[]] = ['npm', 'start', '--silent'];
const isProgram = (pid: number): boolean =>
  commandLine(pid)?.endsWith('src/main.ts start') ?? false;

/** Whichever process gets the signal, no process of the start may remain. */
const ends: { who: 'npm' | 'the program'; signal: NodeJS.Signals }[] = [
  { who: 'npm', signal: 'SIGTERM' },
  { who: 'npm', signal: 'SIGINT' },
  { who: 'npm', signal: 'SIGHUP' },
  { who: 'npm', signal: 'SIGKILL' },
  { who: 'the program', signal: 'SIGHUP' },
  { who: 'the program', signal: 'SIGKILL' },
];

for (const { who, signal } of ends) {
  test(`npm start leaves no process when ${who} gets ${signal}`, async (t) => {
    const dir = await tempDir(t);
    const start = new PosthornProcess(dir, {}, NPM_START);
    t.after(() => start.end());
    await start.banner();
    const started = descendantsOf(start.pid);
    t.after(() => {
      for (const pid of started.filter(isRunning)) process.kill(pid, 'SIGKILL');
    });
    const programs = started.filter(isProgram);
    assert.equal(programs.length, 1, 'npm runs the program itself, without a shell between them');
    process.kill(who === 'npm' ? start.pid : (programs[0] as number), signal);
    await waitUntil(() => !started.some(isRunning), {
      what: 'every process to have ended',
      deadlineMs: 30_000,
    });
    await start.exitCode;
    DataDir.open(dir).release();
  });
}

test('a start keeps running when the readers of its output have exited', async (t) => {
  const dir = await tempDir(t);
  const start = new PosthornProcess(dir, { POSTHORN_LOG_LEVEL: 'debug' });
  t.after(() => start.end());
  const banner = await start.banner();
  start.child.stdout?.destroy();
  start.child.stderr?.destroy();
  const before = descendantsOf(start.pid);
  // Each webhook is a line of the demo receiver, each request lines of the log.
  for (let sent = 0; sent < 5; sent++) {
    const { id } = await sendPrinted(banner);
    await waitUntil(async () => {
      const received = await fetch(new URL('/requests', banner.receiverUrl));
      return (await received.text()).includes(id);
    });
  }
  assert.deepEqual(descendantsOf(start.pid), before);
});
