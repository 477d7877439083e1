/**
 * Cost of the live tail: the processor time of the platform's process at 500 events a second,
 * without readers and with 20 readers of the deliveries of all tenants. Runs of 10 s alternate on
 * one system.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { median } from '../median.ts';
import { KEY, type System } from '../system.ts';

const PER_SECOND = 500;
const READERS = 20;
const PAIRS = 6;
const RUN_MS = 10_000;
const TICK_MS = 100;
const headers = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' };

export async function liveTail(system: System): Promise<Record<string, unknown>> {
  await run(system, 0);
  const pairs: { without: Run; with: Run }[] = [];
  for (let pair = 0; pair < PAIRS; pair++) {
    const isReversed = pair % 2 === 1;
    const first = await run(system, isReversed ? READERS : 0);
    const second = await run(system, isReversed ? 0 : READERS);
    pairs.push(isReversed ? { without: second, with: first } : { without: first, with: second });
  }
  const ratios = pairs.map((pair) => pair.with.cpuSeconds / pair.without.cpuSeconds);
  return {
    cpu_percent_without: pairs.map(({ without }) => percent(without)),
    cpu_percent_with: pairs.map((pair) => percent(pair.with)),
    messages_per_reader: pairs.map((pair) => pair.with.messages / READERS),
    missed: pairs.map((pair) => pair.with.missed),
    with_to_without: ratios.map(rounded),
    with_to_without_median: rounded(median(ratios)),
  };
}

interface Run {
  cpuSeconds: number;
  messages: number;
  missed: number;
}

async function run(system: System, readers: number): Promise<Run> {
  const stopping = new AbortController();
  const counts = { messages: 0, missed: 0 };
  for (let reader = 0; reader < readers; reader++) void read(system, counts, stopping.signal);
  await delay(1000);
  const before = await cpuSeconds(system);
  const endMs = performance.now() + RUN_MS;
  while (performance.now() < endMs) {
    const next = delay(TICK_MS);
    void publish(system, (PER_SECOND * TICK_MS) / 1000);
    await next;
  }
  const cpu = (await cpuSeconds(system)) - before;
  await delay(1000);
  stopping.abort();
  return { cpuSeconds: cpu, ...counts };
}

async function publish({ base }: System, count: number): Promise<void> {
  const events = Array.from({ length: count }, () => ({ type: 'bench.tail', data: { a: 1 } }));
  const url = `${base}/v1/tenants/demo/events/batch`;
  await fetch(url, { method: 'POST', headers, body: JSON.stringify({ events }) });
}

async function read(
  { base }: System,
  counts: { messages: number; missed: number },
  signal: AbortSignal,
): Promise<void> {
  const response = await fetch(`${base}/v1/deliveries/tail`, { headers, signal });
  if (response.status !== 200) throw new Error(await response.text());
  try {
    for await (const bytes of response.body as ReadableStream<Uint8Array>) {
      const text = Buffer.from(bytes).toString('latin1');
      counts.messages += text.split('event: delivery\n').length - 1;
      counts.missed += text.split('event: missed\n').length - 1;
    }
  } catch {
    // The run is over.
  }
}

async function cpuSeconds({ ops }: System): Promise<number> {
  const text = await (await fetch(`${ops}/metrics`)).text();
  return Number(/^process_cpu_seconds_total(?:\{.*?\})? ([\d.e+-]+)/m.exec(text)?.[1]);
}

function percent({ cpuSeconds: seconds }: Run): number {
  return rounded((100 * seconds * 1000) / RUN_MS);
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
