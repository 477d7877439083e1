/** The result of a run: a few lines for the terminal, and one page with charts. */
import type { GroupStats, SecondStats } from '../receiver/tally.ts';
import { lineChart } from './line-chart.ts';
import type { PlatformSample } from './platform-sampler.ts';
import { type Restarts, allRestarted } from './restarts.ts';

/** The part of `k6 run --summary-export` that is used here. */
export interface K6Summary {
  metrics: Record<
    string,
    {
      count?: number;
      value?: number;
      'p(95)'?: number;
      /** By threshold, whether it was crossed. */
      thresholds?: Record<string, boolean>;
    }
  >;
}

export interface RunResult {
  scenario: string;
  startedAt: Date;
  summary: K6Summary;
  groups: Record<string, GroupStats>;
  series: readonly SecondStats[];
  samples: readonly PlatformSample[];
  restarts?: Restarts | undefined;
}

type Row = readonly [label: string, value: string];

export function rows({ summary, groups, samples, series, restarts }: RunResult): Row[] {
  const { metrics } = summary;
  const value = (name: string) => metrics[name]?.value ?? metrics[name]?.count ?? 0;
  const out: Row[] = [
    ['deliveries', String(value('deliveries'))],
    ['lost', String(value('deliveries_lost'))],
    ['doubled', String(value('deliveries_duplicated'))],
    ['dropped by the generator', String(value('dropped_iterations'))],
    ['published again', String(value('published_again'))],
    ['seconds with deliveries', String(series.length)],
  ];
  for (const [name, { unique, p50_ms, p95_ms, p99_ms }] of Object.entries(groups)) {
    out.push([`${name}: p50 / p95 / p99`, `${p50_ms} / ${p95_ms} / ${p99_ms} ms of ${unique}`]);
  }
  if (samples.length > 0) {
    const cores = samples.reduce((sum, sample) => sum + sample.cores, 0) / samples.length;
    const memory = Math.max(...samples.map(({ nodeMiB }) => nodeMiB));
    out.push(['cores busy, all servers included', cores.toFixed(2)]);
    out.push(['memory of Node, highest', `${Math.round(memory)} MiB`]);
  }
  if (restarts !== undefined) out.push(...restartRows(restarts));
  for (const [metric, { thresholds }] of Object.entries(metrics)) {
    for (const [threshold, crossed] of Object.entries(thresholds ?? {})) {
      out.push([`${metric} ${threshold}`, crossed ? 'FAILED' : 'passed']);
    }
  }
  return out;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function restartRows(restarts: Restarts): Row[] {
  const out = restarts.done.map(({ role, exitCode, stopMs, startMs, delivered }): Row => {
    const ended = `ended with ${exitCode} after ${seconds(stopMs)}`;
    const back = `ready ${seconds(startMs)} later`;
    return [`${role} restarted`, `${ended}, ${back}, ${delivered} deliveries during it`];
  });
  const label = `${restarts.done.length} of ${restarts.due} processes restarted in order`;
  return [...out, [label, allRestarted(restarts) ? 'passed' : 'FAILED']];
}

export function page(result: RunResult): string {
  const { scenario, startedAt, series, samples } = result;
  const begin = series[0]?.at ?? samples[0]?.at ?? 0;
  const since = ({ at }: { at: number }) => at - begin;
  const inRun = samples.filter((sample) => since(sample) >= 0);
  const charts = [
    lineChart('Deliveries', 'a second', [
      { name: 'rate', colour: '#2563eb', points: series.map((one) => [since(one), one.unique]) },
    ]),
    lineChart('From publish to receipt', 'ms', [
      { name: 'p95', colour: '#dc2626', points: series.map((one) => [since(one), one.p95_ms]) },
      { name: 'p50', colour: '#16a34a', points: series.map((one) => [since(one), one.p50_ms]) },
    ]),
  ];
  if (inRun.length > 0) {
    charts.push(
      lineChart('CPU of the platform', 'cores', [
        { name: 'cores', colour: '#9333ea', points: inRun.map((one) => [since(one), one.cores]) },
      ]),
      lineChart('Memory of Node', 'MiB', [
        { name: 'MiB', colour: '#ea580c', points: inRun.map((one) => [since(one), one.nodeMiB]) },
      ]),
    );
  }
  const table = rows(result)
    .map(([label, value]) => `<tr><td>${escape(label)}</td><td>${escape(value)}</td></tr>`)
    .join('');
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Posthorn load test: ${scenario}</title>
<style>body{font:14px system-ui;margin:2em;max-width:920px}td{padding:2px 12px 2px 0}small{font-weight:400}svg text{font-size:11px;fill:#555}</style>
<h1>${scenario}</h1><p>${startedAt.toISOString()}</p><table>${table}</table>${charts.join('\n')}</html>
`;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
