import assert from 'node:assert/strict';
import { makeTenants } from '#testkit/make-tenants.ts';
import type { System } from '#testkit/system.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import type { WebhookReceiver } from '#testkit/webhook-receiver.ts';
import { Census } from './census.ts';
import { countDelivered } from './count-delivered.ts';
import type { Arena, Fault } from './fault.ts';
import { Ledger, type Tally } from './ledger.ts';
import { publishLoad } from './publish-load.ts';
import { seededRandom } from './seeded-random.ts';

const TENANTS = 12;
/** The load goes on after the fault is over. */
const LOAD_AFTER_MS = 5000;
const RECEIVED_DEADLINE_MS = 120_000;
const REST_DEADLINE_MS = 120_000;

export interface FaultOptions {
  system: System;
  receiver: WebhookReceiver;
  seed: number;
  events: number;
}

export interface Row extends Tally {
  fault: string;
  /** What was not as it must be afterwards; empty: all is well. */
  faults: string[];
}

/**
 * Loads the system, lets the fault strike in the first third of the load, and waits for the end: every event
 * received, every process ready again, the history complete, nothing left in JetStream.
 *
 * @throws Error where the load or the fault itself could not be done
 */
export async function runFault(fault: Fault, options: FaultOptions): Promise<Row> {
  const { system, receiver, seed, events } = options;
  const random = seededRandom(seed);
  const ledger = new Ledger(receiver);
  const census = await Census.open(system.natsUrl);
  try {
    const tenants = await makeTenants(system, receiver, TENANTS, `${fault.name}-${seed}-`);
    const arena: Arena = { system, ledger, census, tenants, random };
    const consumersBefore = await census.consumers();
    await loadAndStrike(fault, arena, events);
    const faults = await checkAfter(arena, events, consumersBefore);
    const tally = ledger.tally();
    const duplicatesMax = fault.duplicates === 'none' ? 0 : Math.ceil(events / 4);
    if (tally.duplicates > duplicatesMax) {
      faults.push(`${tally.duplicates} duplicates, explained are ${duplicatesMax}`);
    }
    return { fault: fault.name, ...tally, faults };
  } finally {
    await census.close();
  }
}

async function loadAndStrike(fault: Fault, arena: Arena, events: number): Promise<void> {
  const strikeAt = Math.ceil(events * (0.1 + arena.random() * 0.1));
  let struck: Promise<void> | undefined;
  const strike = (): Promise<void> => {
    const striking = fault.strike(arena);
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
  events: number,
  consumersBefore: Record<string, string[]>,
): Promise<string[]> {
  const { system, ledger, census, tenants } = arena;
  const faults: string[] = [];
  const check = async (what: string, deadlineMs: number, condition: () => Promise<unknown>) => {
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
    const delivered = await countDelivered(system.mongod.url, tenants);
    return delivered === events || delivered;
  });
  await check('JetStream at rest', REST_DEADLINE_MS, async () => {
    const unrest = await census.unrest();
    return unrest.length === 0 || unrest;
  });
  const consumers = await census.consumers();
  try {
    assert.deepEqual(consumers, consumersBefore);
  } catch (error) {
    faults.push(`consumers: ${(error as Error).message}`);
  }
  return faults;
}
