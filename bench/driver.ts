/**
 * The driver: a Go program that is producers and receivers at the same time, and speaks the public
 * API only.
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { findFreePort } from '#src/embedded/free-port.ts';
import { KEY, type StartOptions, nodeMemoryMiB, startSystem, stopSystem } from './system.ts';

/** What the driver prints, and the peak of Node's memory. */
export interface Result {
  accepted: number;
  publish_errors: number;
  delivered_per_s: number;
  lost: number;
  duplicates: number;
  e2e_p50_ms: number;
  e2e_p95_ms: number;
  e2e_p99_ms: number;
  cpu_ms_per_delivery: number;
  platform_cpu_s: number;
  delivered: number;
  wall_s: number;
  rss_peak_mb: number;
  quiet_p95_ms?: number;
  cpu_by_process: Record<string, number>;
  error_sample?: string;
  node_mb: number;
}

export interface MeasureOptions extends StartOptions {
  /** Called when the system is up, before the load. */
  onStarted?: (system: { ops: string }) => void;
}

/**
 * Builds it into a folder.
 *
 * @returns the program
 * @throws Error if `BENCH_DRIVER` names no folder that is there
 */
export function buildDriver(directory: string): string {
  const source = resolve(process.env['BENCH_DRIVER'] ?? '../shared/bench/driver');
  if (!existsSync(source)) throw new Error(`no driver in ${source}: set BENCH_DRIVER`);
  const binary = join(directory, 'driver');
  execFileSync('go', ['build', '-o', binary, '.'], { cwd: source, stdio: 'inherit' });
  return binary;
}

/** Loads a system that is started fresh for it. */
export async function measure(
  driver: string,
  flags: readonly string[],
  options: MeasureOptions = {},
): Promise<Result> {
  const directory = mkdtempSync(join(tmpdir(), 'posthorn-bench-'));
  const system = await startSystem(directory, options);
  try {
    await delay(1000);
    options.onStarted?.(system);
    const listen = `127.0.0.1:${await findFreePort()}`;
    const pid = system.process.pid as number;
    let peak = 0;
    const sampler = setInterval(() => (peak = Math.max(peak, nodeMemoryMiB(pid))), 500);
    const to = ['-peer', 'posthorn', '-token', KEY, '-base', system.base, '-pids', String(pid)];
    const output = await run(driver, [...to, '-listen', listen, ...flags]);
    clearInterval(sampler);
    return { ...(JSON.parse(output) as Omit<Result, 'node_mb'>), node_mb: peak };
  } finally {
    await stopSystem(system);
    rmSync(directory, { recursive: true, force: true });
  }
}

function run(command: string, args: string[]): Promise<string> {
  return new Promise((done, failed) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.once('close', (code) => (code === 0 ? done(output) : failed(new Error(`exit ${code}`))));
  });
}
