/**
 * Runs a load test and judges it: `npm run loadtest -- capacity --duration 10m` against a system that it starts
 * fresh, or `--url https://… --key phk_…` against one that is there. Ends with the exit code of k6: 99 where a
 * threshold was crossed.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { findFreePort } from '#src/embedded/free-port.ts';
import { KEY, type System, startSystem, stopSystem } from '../../bench/system.ts';
import { type LoadReceiver, startReceiver } from './receiver/receiver.ts';
import { findK6 } from './runner/find-k6.ts';
import { PlatformSampler, childrenOf } from './runner/platform-sampler.ts';
import { type K6Summary, type RunResult, page, rows } from './runner/report.ts';

const SCENARIOS = join(import.meta.dirname, 'src', 'scenarios');
const names = readdirSync(SCENARIOS).map((file) => basename(file, '.ts'));
/** After this long the scenario `broker-kill` loses its broker. */
const KILL_AFTER_MS = 20_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    url: { type: 'string' },
    key: { type: 'string' },
    duration: { type: 'string' },
    rate: { type: 'string' },
    /** Where the receiver listens, and how the system reaches it: for a system on another machine. */
    'receiver-port': { type: 'string', default: '0' },
    'receiver-host': { type: 'string', default: '127.0.0.1' },
    'receiver-url': { type: 'string' },
    out: { type: 'string', default: 'loadtest/results' },
  },
});

interface Target {
  url: string;
  key: string;
  system: System | undefined;
}

function fail(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}

async function openTarget(dataDir: string): Promise<Target> {
  if (values.url === undefined) {
    const system = await startSystem(dataDir);
    return { url: system.base, key: KEY, system };
  }
  if (values.key === undefined) fail('--key: a platform key is needed with --url');
  return { url: values.url, key: values.key, system: undefined };
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

/** Kills the embedded broker: the system starts it again by itself. */
async function killBroker(system: System, k6: ChildProcess): Promise<void> {
  await delay(KILL_AFTER_MS);
  if (k6.exitCode !== null) return;
  for (const pid of childrenOf(system.process.pid as number, 'nats-server')) {
    process.kill(pid, 'SIGKILL');
  }
}

async function run(scenario: string): Promise<number> {
  const program = findK6(process.env);
  const work = mkdtempSync(join(tmpdir(), 'posthorn-loadtest-'));
  const receiver = await startReceiver(Number(values['receiver-port']), values['receiver-host']);
  const target = await openTarget(join(work, 'data'));
  const { system } = target;
  const startedAt = new Date();
  const sampler =
    system === undefined ? undefined : new PlatformSampler(system.process.pid as number);
  try {
    const summaryFile = join(work, 'summary.json');
    const k6 = spawn(program, await k6Arguments(scenario, target, receiver, summaryFile), {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    if (scenario === 'broker-kill' && system !== undefined) void killBroker(system, k6);
    const code = await new Promise<number>((ended) => k6.once('exit', (c) => ended(c ?? 1)));
    const result: RunResult = {
      scenario,
      startedAt,
      summary: JSON.parse(readFileSync(summaryFile, 'utf8')) as K6Summary,
      groups: receiver.tally.stats(),
      series: receiver.tally.series(),
      samples: sampler?.samples ?? [],
    };
    const file = save(result);
    for (const [label, value] of rows(result))
      process.stdout.write(`${label.padEnd(40)} ${value}\n`);
    process.stdout.write(`${file}\n`);
    return code;
  } finally {
    sampler?.stop();
    if (system !== undefined) await stopSystem(system);
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
