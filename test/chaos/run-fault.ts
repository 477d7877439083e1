import assert from 'node:assert/strict';
import { makeTenants } from '#testkit/make-tenants.ts';
import type { System } from '#testkit/system.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import type { WebhookReceiver } from '#testkit/webhook-receiver.ts';
import type { Zone } from '../kit/network/zone.ts';
import { shardOf } from '#wire/subjects.ts';
import { Census } from './census.ts';
import { checkHistory } from './check-history.ts';
import type { ClockFile } from './clock-file.ts';
import { countDelivered } from './count-delivered.ts';
import { countByFault } from './explain-duplicates.ts';
import { type Arena, type Fault, strikeFault } from './fault.ts';
import { type Duplicate, Ledger, type Tally } from './ledger.ts';
import { publishLoad } from './publish-load.ts';
import { seededRandom } from './seeded-random.ts';

const TENANTS = 12;
/** The load continues after the end of the fault. */
const LOAD_AFTER_MS = 5000;
const RECEIVED_DEADLINE_MS = 150_000;
const REST_DEADLINE_MS = 150_000;
const AFTER_FAULT_DEADLINE_MS = 5000;
/**
 * The last webhook before a fault arrived at most this long before it: a gap that begins with it
 * belongs to the fault.
 */
const BEFORE_MS = 200;

export interface FaultOptions {
  system: System;
  receiver: WebhookReceiver;
  seed: number;
  events: number;
  /** Number of the row in the run: each row has its own tenants. */
  nth?: number;
  zone?: Zone | undefined;
  clock?: ClockFile | undefined;
}

export interface Row extends Tally {
  fault: string;
  /** Repeated webhooks, after the first one that was answered with 2xx. */
  duplicates: number;
  /** The number of duplicates that each fault explains. */
  duplicatesByFault: Record<string, number>;
  /** The longest gap that began with each fault or after it. */
  gapsByFaultMs: Record<string, number>;
  /** If a worker was struck: the longest time without webhooks for the tenants of its shard. */
  takeoverMs: number | undefined;
  /** Failed checks after the fault; empty if there are none. */
  faults: string[];
}

/**
 * Loads the system, lets the fault strike in the first third of the load, and waits for the end:
 * every event received, every process ready again, the history complete, JetStream empty.
 *
 * @throws Error if the load or the fault itself failed
 */
export async function runFault(fault: Fault, options: FaultOptions): Promise<Row> {
  const { system, receiver, seed, events, nth = 0, zone, clock } = options;
  const random = seededRandom(seed);
  const ledger = new Ledger(receiver);
  const census = await Census.open(system.natsUrl);
  try {
    const prefix = `${fault.name}-${seed}-${nth}-`;
    const tenants = await makeTenants(system, receiver, TENANTS, prefix, (i) => ({
      ordered: i === TENANTS - 1,
    }));
    const ordered = tenants.at(-1) as string;
    const reach = { system, ledger, census, tenants, ordered, random, events, zone, clock };
    const arena: Arena = { ...reach, strikes: [], findings: [] };
    const consumersBefore = await census.consumers();
    await loadAndStrike(fault, arena);
    const faults = [...arena.findings, ...(await checkAfter(arena, consumersBefore))];
    const duplicates = ledger.duplicates();
    const duplicatesByFault = countByFault(duplicates, arena.strikes);
    const { unexplained } = duplicatesByFault;
    if (unexplained !== undefined) {
      faults.push(`${unexplained} duplicates that nothing explains: ${seconds(duplicates, arena)}`);
    }
    const takeoverMs = fault.strikesWorker === true ? await takeover(arena) : undefined;
    const counts = { duplicates: duplicates.length, duplicatesByFault, takeoverMs };
    const gapsByFaultMs = gapsByFault(arena);
    return { fault: fault.name, ...ledger.tally(), ...counts, gapsByFaultMs, faults };
  } finally {
    await census.close();
  }
}

/** When the duplicates arrived, in seconds since the first strike: `first: repeated`. */
function seconds(duplicates: readonly Duplicate[], { strikes }: Arena): string {
  const beganMs = strikes[0]?.beganMs ?? 0;
  const since = (atMs: number): string => ((atMs - beganMs) / 1000).toFixed(2);
  return duplicates.map((one) => `${since(one.firstMs)}: ${since(one.againMs)}`).join(', ');
}

/**
 * The ordered endpoint must get its webhooks, by their first 2xx, in the order in which its events
 * were accepted.
 */
function checkOrder({ ledger, ordered }: Arena): string[] {
  const delivered = ledger.orderOf(ordered);
  const accepted = ledger.acceptedOf(ordered);
  const wrong = accepted.findIndex((id, i) => delivered[i] !== id);
  if (wrong === -1) return [];
  return [`order: ${accepted[wrong]} was due, and ${delivered[wrong]} came`];
}

function gapsByFault({ ledger, strikes }: Arena): Record<string, number> {
  const spans = strikes.map(({ fault, beganMs }, i) => {
    const untilMs = strikes[i + 1]?.beganMs ?? Number.POSITIVE_INFINITY;
    const span = [beganMs - BEFORE_MS, untilMs - BEFORE_MS] as const;
    return [fault, ledger.longestGapMs((tenant) => ledger.isHealthy(tenant), span)];
  });
  return Object.fromEntries(spans);
}

/** The longest time without webhooks for the tenants of the struck shard. */
async function takeover({ census, ledger, strikes }: Arena): Promise<number> {
  const shards = await census.shards();
  const beganMs = strikes[0]?.beganMs ?? 0;
  return ledger.longestGapMs(
    (tenant) => shardOf(tenant, shards) === 0,
    [beganMs - BEFORE_MS, Number.POSITIVE_INFINITY],
  );
}

async function loadAndStrike(fault: Fault, arena: Arena): Promise<void> {
  const { events } = arena;
  const strikeAt = Math.ceil(events * (0.1 + arena.random() * 0.1));
  let struck: Promise<void> | undefined;
  const strike = (): Promise<void> => {
    const striking = strikeFault(fault, arena);
    striking.catch(() => undefined);
    return striking;
  };
  await publishLoad(arena, {
    events,
    lastsMs: fault.lastsMs + LOAD_AFTER_MS,
    onAccepted(count) {
      if (count >= strikeAt) struck ??= strike();
    },
  });
  await struck;
}

async function checkAfter(
  arena: Arena,
  consumersBefore: Record<string, string[]>,
): Promise<string[]> {
  const { system, ledger, census, tenants, events } = arena;
  const faults: string[] = [];
  const check = async (what: string, waitMs: number, condition: () => Promise<unknown>) => {
    // After one failed check, the checks that depend on it need less time.
    const deadlineMs = faults.length === 0 ? waitMs : AFTER_FAULT_DEADLINE_MS;
    await waitUntil(
      async () => {
        const seen = await condition();
        if (seen !== true) throw new Error(JSON.stringify(seen));
        return true;
      },
      { what, deadlineMs, intervalMs: 250 },
    ).catch((error: Error) => faults.push(error.message));
  };
  await check('every event received', RECEIVED_DEADLINE_MS, async () => {
    const { length } = ledger.missing();
    return length === 0 || length;
  });
  for (const { roles, opsUrl } of system.processes) {
    await check(`${roles.join()} ready`, 30_000, async () => {
      const response = await fetch(`${opsUrl}/readyz`);
      return response.ok || response.text();
    });
  }
  await check('history complete', REST_DEADLINE_MS, async () => {
    const delivered = await countDelivered(system.mongodUrl, tenants);
    return delivered === events || delivered;
  });
  await check('JetStream at rest', REST_DEADLINE_MS, async () => {
    const unrest = await census.unrest();
    return unrest.length === 0 || unrest;
  });
  // Consumers of a busy tenant's lane are removed some time after the load.
  await check('consumers as before', REST_DEADLINE_MS, async () => {
    assert.deepEqual(await census.consumers(), consumersBefore);
    return true;
  });
  return [...faults, ...checkOrder(arena), ...(await checkHistory(arena))];
}
