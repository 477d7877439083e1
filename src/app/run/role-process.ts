import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ServerExit } from '#src/embedded/server-process.ts';
import type { Supervised } from './supervisor.ts';

const MAIN = fileURLToPath(new URL('../../main.ts', import.meta.url));

/**
 * V8's young generation, in MiB a half: what an event needs lives for milliseconds, so a larger one costs less CPU and
 * a smaller one less memory. And how far the old one may grow beyond what lived at the last collection, in percent:
 * left to itself it holds twice as much garbage as it holds of use. Together they keep all Node processes below
 * 500 MB at the highest load, for 4 % more CPU (bench/RESULTS.md).
 */
const HEAP = ['--max-semi-space-size=8', '--heap-growing-percent=120'];

/**
 * Node looks names up in half of these threads: with the usual four, two names whose servers do not answer would hold
 * up the first connections of all tenants. What is set wins.
 */
const THREADS = { UV_THREADPOOL_SIZE: '32' };

/**
 * Runs roles in a process of their own: `main.ts run --roles …`. Its process group is its own too, so that
 * Ctrl-C reaches the parent alone; if the parent dies, the channel between the two closes and it stops.
 *
 * @param launcher a command that becomes the one after it (`nsenter …`), for tests
 * @throws Error if Node cannot be run
 */
export function startRoleProcess(
  roles: readonly string[],
  env: Record<string, string | undefined>,
  launcher: readonly string[] = [],
): Promise<Supervised> {
  const node = [process.execPath, ...HEAP, MAIN, 'run', '--roles', roles.join(',')];
  const [program, ...args] = [...launcher, ...node];
  const child = spawn(program as string, args, {
    env: { ...THREADS, ...env },
    // Its log goes to standard error as it is; standard output stays for the banner.
    stdio: ['ignore', process.stderr, process.stderr, 'ipc'],
    detached: true,
  });
  let asked = false;
  const exited = new Promise<ServerExit>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal, expected: asked }));
  });
  const running: Supervised = {
    pid: child.pid ?? 0,
    onExit: (listener) => void exited.then(listener),
    async stop(deadlineMs = 10_000) {
      asked = true;
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), deadlineMs);
      await exited;
      clearTimeout(timer);
    },
    async kill(signal) {
      asked = true;
      child.kill(signal);
      if (signal === 'SIGKILL') await exited;
    },
  };
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('spawn', () => resolve(running));
  });
}
