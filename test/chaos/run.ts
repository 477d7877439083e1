/**
 * Breaks a system of three brokers, two workers and a MongoDB set of three, with one fault after
 * the other and under load. Prints a line for each: `npm run test:chaos -- --seed 1 --faults
 * kill-router,cut-zone`. Exits with 1 if an event was lost or a part did not recover by itself.
 * Each fault and its expected result are described in docs/operations/chaos.md.
 */
import { parseArgs } from 'node:util';
import type { Role } from '#config/schema.ts';
import { startSystem, type System } from '#testkit/system.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { WebhookReceiver } from '#testkit/webhook-receiver.ts';
import { Zone } from '../kit/network/zone.ts';
import { ClockFile } from './clock-file.ts';
import type { Fault } from './fault.ts';
import { allFaults } from './faults/all.ts';
import { hasOwnNamespaces, runInOwnNamespaces } from './own-namespaces.ts';
import { type Holdings, countHoldings } from './process-census.ts';
import { type Row, runFault } from './run-fault.ts';

const BROKERS = 3;
const MONGODS = 3;
const SMALL_DISK_MEBIBYTES = 512;
const LAYOUT: Role[][] = [['ingress'], ['router'], ['delivery'], ['delivery'], ['control']];
const SETTINGS = {
  POSTHORN_SHARDS: '2',
  POSTHORN_STREAM_REPLICAS: String(BROKERS),
  // Time out hanging receivers sooner, to keep the run short.
  POSTHORN_DELIVERY_TIMEOUT_MS: '2000',
};
/** Connections to receivers close after 30 s without use, actors passivate after 60 s. */
const IDLE_DEADLINE_MS = 150_000;
/**
 * Processes that have worked hold more than new ones: pools of MongoDB's driver, compiled code, a
 * warm heap.
 */
const MORE_FILES_MAX = 10 * LAYOUT.length;
const MORE_MEMORY_MEBIBYTES_MAX = 60 * LAYOUT.length;

const COLUMNS = [
  'Fault',
  'Accepted',
  'Lost',
  'Duplicates',
  'Longest gap (ms)',
  'Slowest 202 (ms)',
  'Slowest delivery (ms)',
  'Takeover (ms)',
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
    throw new Error(`--faults: unknown fault ${name}; must be one of ${names}`);
  });
}

function positive(option: 'seed' | 'events'): number {
  const value = Number(values[option]);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`--${option}: a number from 1`);
  return value;
}

/** Prints a Markdown row. */
function print(...cells: (string | number)[]): void {
  console.log(`| ${cells.join(' | ')} |`);
}

function printRow(row: Row, tookMs: number): void {
  const { fault, accepted, lost, duplicates, longestGapMs, slowestAcceptMs, slowestMs } = row;
  const takeoverMs = row.takeoverMs ?? '';
  const waits = [longestGapMs, slowestAcceptMs, slowestMs, takeoverMs];
  print(fault, accepted, lost.length, duplicates, ...waits);
  console.error(`${fault}: ${Math.round(tookMs / 1000)} s`);
  if (duplicates > 0)
    console.error(`${fault}: duplicates ${JSON.stringify(row.duplicatesByFault)}`);
  for (const problem of row.faults) console.error(`${fault}: ${problem}`);
  for (const key of lost.slice(0, 10)) console.error(`${fault}: lost ${key}`);
}

/** The environment of the run, with the features that the machine allows. */
class Stage {
  readonly zone: Zone | undefined;
  readonly receiver: WebhookReceiver;
  readonly clock = new ClockFile();
  private running: { system: System; before: Holdings } | undefined;

  private constructor(zone: Zone | undefined, receiver: WebhookReceiver) {
    this.zone = zone;
    this.receiver = receiver;
  }

  static async open(): Promise<Stage> {
    const zone = hasOwnNamespaces() ? await Zone.open() : undefined;
    return new Stage(zone, await WebhookReceiver.start(0, zone?.coreHost));
  }

  async system(): Promise<System> {
    if (this.running !== undefined) return this.running.system;
    const settings = { ...SETTINGS, ...this.clock.settings };
    const apart = this.zone && { zone: this.zone, smallDiskMebibytes: SMALL_DISK_MEBIBYTES };
    const options = { brokers: BROKERS, mongods: MONGODS, ...apart };
    const system = await startSystem(LAYOUT, settings, options);
    this.running = { system, before: await countHoldings(system) };
    return system;
  }

  /** Whether the processes return to about the resources that they held before. */
  async comesToRest(): Promise<boolean> {
    if (this.running === undefined) return true;
    const { system, before } = this.running;
    const filesMax = before.files + MORE_FILES_MAX;
    const memoryMax = before.memoryMebibytes + MORE_MEMORY_MEBIBYTES_MAX;
    let now = before;
    const rested = await waitUntil(
      async () => {
        now = await countHoldings(system);
        return now.files <= filesMax && now.memoryMebibytes <= memoryMax;
      },
      { deadlineMs: IDLE_DEADLINE_MS, intervalMs: 1000 },
    ).catch(() => false);
    console.error(
      `all processes at ${rested ? 'rest' : 'the end, not at rest'}: ${now.files} open files, ` +
        `${now.memoryMebibytes} MiB; before the load ${before.files}, ${before.memoryMebibytes} MiB`,
    );
    return rested;
  }

  async stopSystem(): Promise<void> {
    await this.running?.system.stop();
    this.running = undefined;
  }

  async close(): Promise<void> {
    await this.stopSystem();
    await this.receiver.close();
    await this.zone?.close();
    this.clock.remove();
  }
}

async function main(): Promise<boolean> {
  const faults = chosenFaults();
  const [seed, events] = [positive('seed'), positive('events')];
  const stage = await Stage.open();
  const { zone, receiver, clock } = stage;
  let well = true;
  print(...COLUMNS);
  print(...COLUMNS.map(() => '---'));
  try {
    for (const [nth, fault] of faults.entries()) {
      const beganMs = performance.now();
      const system = await stage.system();
      const missing = fault.needs?.({ system, zone, clock });
      if (missing !== undefined) {
        print(fault.name, `skipped: needs ${missing}`, ...COLUMNS.slice(2).map(() => ''));
        continue;
      }
      const row = await runFault(fault, { system, receiver, seed, events, nth, zone, clock });
      printRow(row, performance.now() - beganMs);
      if (row.faults.length === 0) continue;
      well = false;
      // Start the next fault with a new system.
      await stage.stopSystem();
    }
    well = (await stage.comesToRest()) && well;
  } finally {
    await stage.close();
  }
  return well;
}

const inside = hasOwnNamespaces() ? undefined : await runInOwnNamespaces();
process.exitCode = inside ?? ((await main()) ? 0 : 1);
