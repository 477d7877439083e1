/**
 * Starts the whole system fresh, with its own servers and on free ports, loads it with the driver,
 * and prints a line for each run: `npm run bench -- max rate --runs 3`. The driver is a Go program
 * that speaks the public API only; BENCH_DRIVER names its folder.
 *
 * `--against DIR` runs each scenario in pairs, of this checkout and another, and prints the ratios.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type Result, buildDriver, measure } from './driver.ts';
import { median } from './median.ts';
import { RawPost } from './raw-post/raw-post.ts';
import { scenarios } from './scenarios.ts';

/** A run, with the CPU of one delivery and of one raw POST alongside it, in milliseconds. */
interface Run extends Result {
  cpuMs: number;
  rawPostMs: number;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
    /** Folder for a CPU profile of each process. */
    profile: { type: 'string' },
    /** Another checkout, with its own node_modules. */
    against: { type: 'string' },
  },
});

function row(name: string, run: Run): string {
  const cells = [
    name,
    `${Math.round(run.delivered_per_s)}/s`,
    `${run.cpuMs.toFixed(3)} ms`,
    (run.cpuMs / run.rawPostMs).toFixed(1),
    `${run.e2e_p50_ms} / ${run.e2e_p95_ms} / ${run.e2e_p99_ms}`,
    (run.platform_cpu_s / run.wall_s).toFixed(2),
    `${run.lost} / ${run.duplicates} / ${run.publish_errors}`,
    run.quiet_p95_ms === undefined ? '' : `${run.quiet_p95_ms}`,
    `${run.node_mb} (${Math.round(run.rss_peak_mb)})`,
  ];
  return `| ${cells.join(' | ')} |`;
}

async function runOnce(name: string, flags: readonly string[], checkout?: string): Promise<Run> {
  const before = await rawPost.cpuMs();
  const result = await measure(driver, flags, { profileDir: values.profile, checkout });
  const rawPostMs = (before + (await rawPost.cpuMs())) / 2;
  const run = { ...result, cpuMs: (1000 * result.platform_cpu_s) / result.delivered, rawPostMs };
  console.log(row(name, run));
  if (values.json) console.log(JSON.stringify(run));
  if (run.error_sample !== undefined) console.log(`  ${run.error_sample}`);
  return run;
}

/** Alternates which of both runs first, since a machine's speed drifts. */
async function runInPairs(name: string, flags: readonly string[], other: string): Promise<void> {
  const pairs: { own: Run; other: Run }[] = [];
  const runOther = (): Promise<Run> => runOnce(`${name}, other`, flags, other);
  for (let i = 0; i < Number(values.runs); i++) {
    const before = i % 2 === 0 ? undefined : await runOther();
    const own = await runOnce(name, flags);
    pairs.push({ own, other: before ?? (await runOther()) });
  }
  const ratios = (figure: (run: Run) => number): string => {
    const all = pairs.map((pair) => figure(pair.own) / figure(pair.other));
    return `${median(all).toFixed(3)} (${all.map((ratio) => ratio.toFixed(2)).join(', ')})`;
  };
  console.log(`  ${name}, this to other, medians of ${pairs.length} pairs:`);
  console.log(`  CPU per delivery   ${ratios(({ cpuMs }) => cpuMs)}`);
  console.log(`  multiple of a POST ${ratios(({ cpuMs, rawPostMs }) => cpuMs / rawPostMs)}`);
  console.log(`  deliveries/s       ${ratios((run) => run.delivered_per_s)}`);
  console.log(`  p95                ${ratios((run) => run.e2e_p95_ms)}`);
  console.log(`  MB Node            ${ratios((run) => run.node_mb)}`);
}

const work = mkdtempSync(join(tmpdir(), 'posthorn-driver-'));
const driver = buildDriver(work);
const rawPost = await RawPost.start();
try {
  console.log(
    '| scenario | delivered | CPU per delivery | x raw POST | p50 / p95 / p99 ms | cores | lost / doubled / refused | quiet p95 ms | MB Node (all) |',
  );
  console.log('| --- | --- | --- | --- | --- | --- | --- | --- | --- |');
  for (const name of positionals.length > 0 ? positionals : ['max', 'batch', 'rate', 'five']) {
    const scenario = scenarios[name];
    if (scenario === undefined) {
      throw new Error(`no scenario ${name}; there are ${Object.keys(scenarios).join(', ')}`);
    }
    if (values.against !== undefined) {
      await runInPairs(name, scenario.flags, resolve(values.against));
      continue;
    }
    for (let i = 0; i < Number(values.runs); i++) await runOnce(name, scenario.flags);
  }
} finally {
  rawPost.stop();
  rmSync(work, { recursive: true, force: true });
}
