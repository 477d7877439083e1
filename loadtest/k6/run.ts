/**
 * Runs and judges a load test: `npm run loadtest -- capacity --duration 10m` against a system that
 * it starts, or `--url https://… --key phk_…` against an existing one. Ends with the exit code of
 * k6: 99 if a threshold was crossed.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { findFreePort } from '#src/embedded/free-port.ts';
import { type LoadReceiver, startReceiver } from './receiver/receiver.ts';
import { findK6 } from './runner/find-k6.ts';
import { type Target, startTarget, targetAt } from './runner/open-target.ts';
import { PlatformSampler } from './runner/platform-sampler.ts';
import { type K6Summary, type RunResult, page, rows } from './runner/report.ts';
import { allRestarted } from './runner/restarts.ts';

const SCENARIOS = join(import.meta.dirname, 'src', 'scenarios');
const names = readdirSync(SCENARIOS).map((file) => basename(file, '.ts'));
/** Exit code of k6 when a threshold was crossed. */
const CROSSED = 99;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    url: { type: 'string' },
    key: { type: 'string' },
    duration: { type: 'string' },
    rate: { type: 'string' },
    /** Port of the receiver, and its address for the system: for a system on another machine. */
    'receiver-port': { type: 'string', default: '0' },
    'receiver-host': { type: 'string', default: '127.0.0.1' },
    'receiver-url': { type: 'string' },
    out: { type: 'string', default: 'loadtest/results' },
  },
});

function fail(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}

async function openTarget(
  scenario: string,
  dataDir: string,
  { tally }: LoadReceiver,
): Promise<Target> {
  const delivered = (): number => tally.stats()['all']?.unique ?? 0;
  if (values.url === undefined) return startTarget(scenario, dataDir, delivered);
  if (values.key === undefined) fail('--key: a platform key is needed with --url');
  return targetAt(values.url, values.key);
}

async function k6Arguments(
  scenario: string,
  target: Target,
  receiver: LoadReceiver,
  summary: string,
): Promise<string[]> {
  const address = `127.0.0.1:${await findFreePort()}`;
  const env: Record<string, string | undefined> = {
    POSTHORN_URL: target.url,
    CONTROL_URL: target.controlUrl,
    POSTHORN_KEY: target.key,
    RECEIVER_URL: receiver.url,
    K6_API_URL: `http://${address}`,
    RECEIVER_PUBLIC_URL: values['receiver-url'],
    RUN_ID: Date.now().toString(36),
    DURATION: values.duration,
    RATE: values.rate,
  };
  const flags = ['run', '--no-usage-report', '--quiet', '--address', address];
  flags.push('--summary-export', summary);
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined) flags.push('-e', `${name}=${value}`);
  }
  return [...flags, join(SCENARIOS, `${scenario}.ts`)];
}

/** @returns its exit code */
function runK6(program: string, flags: string[]): Promise<number> {
  const k6 = spawn(program, flags, { stdio: ['ignore', 'inherit', 'inherit'] });
  // Ctrl-C reaches k6 too. However k6 ends, the processes started here are ended after it.
  process.once('SIGINT', () => {});
  process.once('SIGTERM', () => k6.kill('SIGINT'));
  return new Promise((ended, failed) => {
    k6.once('error', failed);
    k6.once('exit', (code) => ended(code ?? 1));
  });
}

async function run(scenario: string): Promise<number> {
  const program = findK6(process.env);
  const work = mkdtempSync(join(tmpdir(), 'posthorn-loadtest-'));
  const receiver = await startReceiver(Number(values['receiver-port']), values['receiver-host']);
  const target = await openTarget(scenario, join(work, 'data'), receiver);
  const { pid, restarts } = target;
  const startedAt = new Date();
  const sampler = pid === undefined ? undefined : new PlatformSampler(pid);
  try {
    const summaryFile = join(work, 'summary.json');
    const loaded = new AbortController();
    const disturbed = target.disturb?.(loaded.signal);
    // It is awaited below, after k6 has ended.
    disturbed?.catch(() => undefined);
    const code = await runK6(program, await k6Arguments(scenario, target, receiver, summaryFile));
    loaded.abort();
    await disturbed;
    const result: RunResult = {
      scenario,
      startedAt,
      summary: JSON.parse(readFileSync(summaryFile, 'utf8')) as K6Summary,
      groups: receiver.tally.stats(),
      series: receiver.tally.series(),
      samples: sampler?.samples ?? [],
      restarts,
    };
    const file = save(result);
    for (const [label, value] of rows(result))
      process.stdout.write(`${label.padEnd(40)} ${value}\n`);
    process.stdout.write(`${file}\n`);
    const asDue = restarts === undefined || allRestarted(restarts);
    return code === 0 && !asDue ? CROSSED : code;
  } finally {
    sampler?.stop();
    await target.stop();
    await receiver.close();
    rmSync(work, { recursive: true, force: true });
  }
}

function save(result: RunResult): string {
  mkdirSync(values.out, { recursive: true });
  const stamp = result.startedAt.toISOString().replaceAll(/[:.]/g, '-');
  const file = join(values.out, `${result.scenario}-${stamp}.html`);
  writeFileSync(file, page(result));
  return file;
}

const [scenario = ''] = positionals;
if (positionals.length !== 1 || !names.includes(scenario)) {
  fail(
    `usage: npm run loadtest -- <${names.join('|')}> [--duration 10m] [--rate 278] [--url … --key …]`,
  );
}
process.exitCode = await run(scenario);
