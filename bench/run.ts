/**
 * Starts the whole system fresh, with its own servers and on free ports, loads it with the driver,
 * and prints a line for each run: `npm run bench -- max rate --runs 3`. The driver is a Go program
 * that speaks the public API only; BENCH_DRIVER names its folder.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Result, buildDriver, measure } from './driver.ts';
import { scenarios } from './scenarios.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
    /** Folder for a CPU profile of each process. */
    profile: { type: 'string' },
  },
});

function row(name: string, result: Result): string {
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
    const result = await measure(driver, scenario.flags, { profileDir: values.profile });
    console.log(row(name, result));
    if (values.json) console.log(JSON.stringify(result));
    if (result.error_sample !== undefined) console.log(`  ${result.error_sample}`);
  }
}
rmSync(work, { recursive: true, force: true });
