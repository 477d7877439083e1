import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ServerExit } from '#src/embedded/server-process.ts';
import type { Supervised } from './supervisor.ts';

const MAIN = fileURLToPath(new URL('../../main.ts', import.meta.url));

/**
 * V8 heap limits. The young generation has 8 MiB in each half: the objects of an event live for
 * milliseconds. A larger young generation would cost less CPU, a smaller one less memory. The old
 * generation may grow by 20 % over the live size of the last collection; by default V8 keeps twice
 * as much garbage as live data. Together they keep all Node processes below 500 MB at the highest
 * load, for 4 % more CPU (bench/RESULTS.md).
 */
const HEAP = ['--max-semi-space-size=8', '--heap-growing-percent=120'];

/**
 * Node resolves names in half of these threads. With the default of four, two names whose servers
 * do not answer would delay the first connections of all tenants. A value in the environment
 * overrides it.
 */
const THREADS = { UV_THREADPOOL_SIZE: '32' };

/**
 * Runs roles in their own process: `main.ts run --roles …`. The process also has its own
 * process group, so that Ctrl-C reaches the parent alone. If the parent dies, the channel between
 * the two closes and the process stops.
 *
 * @param launcher a command that runs the command that follows it (`nsenter …`), for tests
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
    // The log passes unchanged to standard error; standard output is kept for the banner.
    stdio: ['ignore', process.stderr, process.stderr, 'ipc'],
    detached: true,
  });
  let stopRequested = false;
  const exited = new Promise<ServerExit>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal, expected: stopRequested }));
  });
  const running: Supervised = {
    pid: child.pid ?? 0,
    onExit: (listener) => void exited.then(listener),
    async stop(deadlineMs = 10_000) {
      stopRequested = true;
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), deadlineMs);
      await exited;
      clearTimeout(timer);
    },
    async kill(signal) {
      stopRequested = true;
      child.kill(signal);
      if (signal === 'SIGKILL') await exited;
    },
  };
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('spawn', () => resolve(running));
  });
}
