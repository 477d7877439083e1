/**
 * Breaks a system of three brokers, two workers and a MongoDB in every way it should bear, one after the other and
 * under load, and prints a line for each: `npm run test:chaos -- --seed 1 --faults kill-router,kill-mongod`. Ends
 * with 1 where an event was lost or something did not come back by itself. What each fault does and
 * what to expect stands in docs/operations/chaos.md.
 */
import { parseArgs } from 'node:util';
import type { Role } from '#config/schema.ts';
import { startSystem, type System } from '#testkit/system.ts';
import { WebhookReceiver } from '#testkit/webhook-receiver.ts';
import type { Fault } from './fault.ts';
import { allFaults } from './faults/all.ts';
import { type Row, runFault } from './run-fault.ts';

const BROKERS = 3;
const LAYOUT: Role[][] = [['ingress'], ['router'], ['delivery'], ['delivery'], ['control']];
const SETTINGS = {
  POSTHORN_SHARDS: '2',
  POSTHORN_STREAM_REPLICAS: String(BROKERS),
  // A receiver that hangs is seen sooner, so that a run stays short.
  POSTHORN_DELIVERY_TIMEOUT_MS: '2000',
};

const COLUMNS = [
  'Fault',
  'Accepted',
  'Lost',
  'Duplicates',
  'Longest gap (ms)',
  'Slowest 202 (ms)',
  'Slowest delivery (ms)',
];

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    faults: { type: 'string' },
    events: { type: 'string', default: '600' },
  },
});

function chosenFaults(): readonly Fault[] {
  if (values.faults === undefined) return allFaults;
  return values.faults.split(',').map((name) => {
    const fault = allFaults.find((one) => one.name === name);
    if (fault !== undefined) return fault;
    const names = allFaults.map((one) => one.name).join(', ');
    throw new Error(`--faults: there is no ${name}; there are ${names}`);
  });
}

function positive(option: 'seed' | 'events'): number {
  const value = Number(values[option]);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`--${option}: a number from 1`);
  return value;
}

/** As a Markdown row. */
function print(...cells: (string | number)[]): void {
  console.log(`| ${cells.join(' | ')} |`);
}

function printRow(row: Row, tookMs: number): void {
  const { fault, accepted, lost, duplicates, longestGapMs, slowestAcceptMs, slowestMs } = row;
  print(fault, accepted, lost.length, duplicates, longestGapMs, slowestAcceptMs, slowestMs);
  console.error(`${fault}: ${Math.round(tookMs / 1000)} s`);
  for (const problem of row.faults) console.error(`${fault}: ${problem}`);
  for (const key of lost.slice(0, 10)) console.error(`${fault}: lost ${key}`);
}

async function main(): Promise<boolean> {
  const faults = chosenFaults();
  const [seed, events] = [positive('seed'), positive('events')];
  const receiver = await WebhookReceiver.start();
  let system: System | undefined;
  let well = true;
  print(...COLUMNS);
  print(...COLUMNS.map(() => '---'));
  try {
    for (const fault of faults) {
      const beganMs = performance.now();
      system ??= await startSystem(LAYOUT, SETTINGS, BROKERS);
      const row = await runFault(fault, { system, receiver, seed, events });
      printRow(row, performance.now() - beganMs);
      if (row.faults.length === 0) continue;
      well = false;
      // The next fault finds a system that nothing has happened to.
      await system.stop();
      system = undefined;
    }
  } finally {
    await system?.stop();
    await receiver.close();
  }
  return well;
}

process.exitCode = (await main()) ? 0 : 1;
