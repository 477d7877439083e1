/** The system under measurement: started fresh, with its own servers. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { findFreePort } from '#src/embedded/free-port.ts';

export const KEY = 'phk_bench_0123456789abcdef';

export interface System {
  process: ChildProcess;
  base: string;
  /** Of the private port of the one process of roles. */
  ops: string;
}

export interface StartOptions {
  /** Where each process leaves a CPU profile. */
  profileDir?: string | undefined;
  /** Settings in addition to those of every run. */
  env?: Record<string, string>;
  /** The checkout to start, with its own node_modules; absent: this one. */
  checkout?: string | undefined;
}

/** `posthorn start` on free ports with an empty data folder; resolves when it prints its banner. */
export async function startSystem(dataDir: string, options: StartOptions = {}): Promise<System> {
  const { profileDir, checkout } = options;
  const [http, ops, receiver] = [await findFreePort(), await findFreePort(), await findFreePort()];
  const env: Record<string, string | undefined> = {
    ...process.env,
    // As in npm, the Node of the packages comes first.
    PATH: [resolve(checkout ?? '.', 'node_modules/.bin'), process.env['PATH']].join(delimiter),
    POSTHORN_DATA_DIR: dataDir,
    POSTHORN_HTTP_PORT: String(http),
    POSTHORN_OPS_PORT: String(ops),
    POSTHORN_RECEIVER_PORT: String(receiver),
    POSTHORN_BOOTSTRAP_KEY: KEY,
    POSTHORN_LOG_LEVEL: 'warn',
    ...options.env,
  };
  if (profileDir !== undefined) {
    env['NODE_OPTIONS'] =
      `--cpu-prof --cpu-prof-interval=500 --cpu-prof-dir=${resolve(profileDir)}`;
  }
  const child = spawn('sh', ['-c', startScript(checkout)], {
    env,
    cwd: checkout,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const banner = new Promise<void>((ready, failed) => {
    child.stdout.on('data', (chunk: Buffer) => {
      if (chunk.toString().includes('/v1/tenants/demo/events')) ready();
    });
    child.once('exit', (code) => failed(new Error(`the system ended with ${code}`)));
  });
  await banner;
  return {
    process: child,
    base: `http://127.0.0.1:${http}`,
    ops: `http://127.0.0.1:${ops}`,
  };
}

/** What `npm start` runs there, without the shell's own process. */
function startScript(checkout = '.'): string {
  const file = readFileSync(join(checkout, 'package.json'), 'utf8');
  const { scripts } = JSON.parse(file) as { scripts: { start: string } };
  return scripts.start.includes('exec ') ? scripts.start : `exec ${scripts.start}`;
}

/** Asks it to stop, and resolves when it has. */
export async function stopSystem(system: System): Promise<void> {
  const ended = new Promise((done) => system.process.once('exit', done));
  system.process.kill('SIGINT');
  await ended;
}

/** Resident memory of the Node processes below `pid`, in MiB. */
export function nodeMemoryMiB(pid: number): number {
  let total = 0;
  for (const entry of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
      const isNode = /\((node|MainThread|posthorn)/.test(stat);
      if (!isNode || (parent !== pid && Number(entry) !== pid)) continue;
      const status = readFileSync(`/proc/${entry}/status`, 'utf8');
      total += Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
    } catch {
      // It has ended.
    }
  }
  return Math.round(total);
}
