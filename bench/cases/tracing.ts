/**
 * Cost of metrics and traces: pairs of runs without and with tracing, at 278/s and at the highest
 * load. One of 100 requests is traced, to an OTLP receiver on loopback in its own process. The
 * order in a pair alternates, so that a machine that gets slower favours neither side.
 *
 * One more run without tracing is profiled and scraped every 5 s. It gives the cost of trace code
 * that is switched off, and of metrics, as shares of the time that Node was busy.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { median } from '../median.ts';
import { type Result, buildDriver, measure } from '../driver.ts';
import { readProfile } from '../profile.ts';
import { OtlpProcess } from './otlp-process.ts';

const SCRAPE_EVERY_MS = 5000;
const MOST_PER_S = 1000;

/** The code that checks whether tracing is on, and that creates spans. */
const TRACING = [
  /^@opentelemetry\//,
  /^src\/infra\/telemetry\/(tracing|otlp)\.ts$/,
  /^src\/wire\/frames\/trace-context\.ts$/,
  /^src\/ingress\/.*\/(publish-span|trace-requests|trace-nats-request)\.ts$/,
  /^src\/router\/(route-span|broadcast\/traced-walk)\.ts$/,
  /^src\/delivery\/attempt\/traced-attempt\.ts$/,
];
const METRICS = [/^prom-client /, /-metrics\.ts$/, /^src\/app\/run\/ops-server\.ts$/];

export interface TracingOptions {
  /** Of runs, at each of both loads. */
  pairs: number;
  /** Of a run at 278/s; a run at the most has 1,000 events for each of them. */
  seconds: number;
}

interface Load {
  name: 'rate' | 'max';
  flags: string[];
}

export async function tracing(options: TracingOptions): Promise<Record<string, unknown>> {
  const work = mkdtempSync(join(tmpdir(), 'posthorn-tracing-'));
  const collector = new OtlpProcess();
  try {
    const driver = buildDriver(work);
    const [rate, max] = loads(options.seconds);
    return {
      at_278: await inPairs(driver, rate, collector, options.pairs),
      at_most: await inPairs(driver, max, collector, options.pairs),
      off_at_most: await sharesWhenOff(driver, max, join(work, 'profiles')),
    };
  } finally {
    collector.stop();
    rmSync(work, { recursive: true, force: true });
  }
}

function loads(seconds: number): [rate: Load, max: Load] {
  const [rated, most] = [278 * seconds, MOST_PER_S * seconds].map(String) as [string, string];
  const tenants = ['-tenants', '10'];
  return [
    { name: 'rate', flags: ['-events', rated, ...tenants, '-rate', '278', '-conc', '32'] },
    { name: 'max', flags: ['-events', most, ...tenants, '-conc', '64'] },
  ];
}

async function inPairs(
  driver: string,
  { name, flags }: Load,
  collector: OtlpProcess,
  pairs: number,
): Promise<Record<string, unknown>> {
  const on = { POSTHORN_OTLP_ENDPOINT: await collector.url(), POSTHORN_TRACE_SAMPLE_PERCENT: '1' };
  const runs: { off: Result; on: Result }[] = [];
  const spansBefore = await collector.spans();
  for (let pair = 0; pair < pairs; pair++) {
    const of = async (state: 'off' | 'on'): Promise<Result> => {
      const result = await measure(driver, flags, state === 'on' ? { env: on } : {});
      const { delivered_per_s, cpu_ms_per_delivery, lost, duplicates } = result;
      const figures = `${Math.round(delivered_per_s)}/s, ${cpu_ms_per_delivery} ms of CPU each`;
      console.log(`${name} ${pair + 1} ${state}: ${figures}, ${lost} lost, ${duplicates} doubled`);
      return result;
    };
    if (pair % 2 === 0) {
      const off = await of('off');
      runs.push({ off, on: await of('on') });
    } else {
      const traced = await of('on');
      runs.push({ off: await of('off'), on: traced });
    }
  }
  const compare = (figure: (result: Result) => number) => {
    const ratios = runs.map((pair) => figure(pair.on) / figure(pair.off));
    return {
      off: median(runs.map(({ off }) => figure(off))),
      on: median(runs.map((pair) => figure(pair.on))),
      on_to_off: ratios.map(rounded),
      on_to_off_median: rounded(median(ratios)),
    };
  };
  return {
    pairs,
    cpu_ms_per_delivery: compare((result) => result.cpu_ms_per_delivery),
    deliveries_per_s: compare((result) => result.delivered_per_s),
    e2e_p95_ms: compare((result) => result.e2e_p95_ms),
    // None: nothing was traced, and the ratios say nothing.
    spans: (await collector.spans()) - spansBefore,
  };
}

/** Self times of functions by their files: their garbage collection is not included. */
async function sharesWhenOff(
  driver: string,
  { flags }: Load,
  profileDir: string,
): Promise<Record<string, unknown>> {
  let scraper: NodeJS.Timeout | undefined;
  let scrapes = 0;
  const scrape = async (ops: string): Promise<void> => {
    const answer = await fetch(`${ops}/metrics`);
    if ((await answer.text()).includes('posthorn_')) scrapes++;
  };
  try {
    await measure(driver, flags, {
      profileDir,
      onStarted: ({ ops }) => {
        const quietly = (): void => void scrape(ops).catch(() => undefined);
        quietly();
        scraper = setInterval(quietly, SCRAPE_EVERY_MS);
      },
    });
  } finally {
    clearInterval(scraper);
  }
  const times = readdirSync(profileDir)
    .flatMap((file) => readProfile(join(profileDir, file)))
    .filter(({ name }) => name !== '(program)');
  const busy = times.reduce((sum, { microseconds }) => sum + microseconds, 0);
  const percent = (files: readonly RegExp[]): number => {
    const own = times.filter(({ place }) => files.some((pattern) => pattern.test(place)));
    return rounded((100 * own.reduce((sum, { microseconds }) => sum + microseconds, 0)) / busy);
  };
  return {
    busy_s: rounded(busy / 1e6),
    tracing_percent: percent(TRACING),
    metrics_percent: percent(METRICS),
    scrapes,
  };
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
