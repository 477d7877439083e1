/**
 * Starts the whole system fresh, with its own servers and on free ports, loads it with the driver, and prints
 * a line for each run: `npm run bench -- max rate --runs 3`. The driver is a Go program that speaks the public
 * API only; BENCH_DRIVER names its folder.
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { findFreePort } from '#src/embedded/free-port.ts';
import { type Scenario, scenarios } from './scenarios.ts';
import { KEY, nodeMemoryMiB, startSystem, stopSystem } from './system.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
    /** Folder for a CPU profile of each process. */
    profile: { type: 'string' },
  },
});

interface Result {
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
  wall_s: number;
  rss_peak_mb: number;
  quiet_p95_ms?: number;
  cpu_by_process: Record<string, number>;
  error_sample?: string;
}

function buildDriver(directory: string): string {
  const source = resolve(process.env['BENCH_DRIVER'] ?? '../shared/bench/driver');
  if (!existsSync(source)) throw new Error(`no driver in ${source}: set BENCH_DRIVER`);
  const binary = join(directory, 'driver');
  execFileSync('go', ['build', '-o', binary, '.'], { cwd: source, stdio: 'inherit' });
  return binary;
}

async function measure(driver: string, scenario: Scenario): Promise<Result & { node_mb: number }> {
  const directory = mkdtempSync(join(tmpdir(), 'posthorn-bench-'));
  const system = await startSystem(directory, values.profile);
  try {
    await delay(1000);
    const listen = `127.0.0.1:${await findFreePort()}`;
    const pid = system.process.pid as number;
    let peak = 0;
    const sampler = setInterval(() => (peak = Math.max(peak, nodeMemoryMiB(pid))), 500);
    const output = await run(driver, [
      '-peer',
      'posthorn',
      '-token',
      KEY,
      '-base',
      system.base,
      '-pids',
      String(pid),
      '-listen',
      listen,
      ...scenario.flags,
    ]);
    clearInterval(sampler);
    return { ...(JSON.parse(output) as Result), node_mb: peak };
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
    child.once('exit', (code) => (code === 0 ? done(output) : failed(new Error(`exit ${code}`))));
  });
}

function row(name: string, result: Result & { node_mb: number }): string {
  const cells = [
    name,
    `${Math.round(result.delivered_per_s)}/s`,
    `${result.cpu_ms_per_delivery} ms`,
    `${result.e2e_p50_ms} / ${result.e2e_p95_ms} / ${result.e2e_p99_ms}`,
    (result.platform_cpu_s / result.wall_s).toFixed(2),
    `${result.lost} / ${result.duplicates} / ${result.publish_errors}`,
    result.quiet_p95_ms === undefined ? '' : `${result.quiet_p95_ms}`,
    `${result.node_mb} (${Math.round(result.rss_peak_mb)})`,
  ];
  return `| ${cells.join(' | ')} |`;
}

const work = mkdtempSync(join(tmpdir(), 'posthorn-driver-'));
const driver = buildDriver(work);
console.log(
  '| scenario | delivered | CPU per delivery | p50 / p95 / p99 ms | cores | lost / doubled / refused | quiet p95 ms | MB Node (all) |',
);
console.log('| --- | --- | --- | --- | --- | --- | --- | --- |');
for (const name of positionals.length > 0 ? positionals : ['max', 'batch', 'rate']) {
  const scenario = scenarios[name];
  if (scenario === undefined) {
    throw new Error(`no scenario ${name}; there are ${Object.keys(scenarios).join(', ')}`);
  }
  for (let i = 0; i < Number(values.runs); i++) {
    const result = await measure(driver, scenario);
    console.log(row(name, result));
    if (values.json) console.log(JSON.stringify(result));
    if (result.error_sample !== undefined) console.log(`  ${result.error_sample}`);
  }
}
rmSync(work, { recursive: true, force: true });
