import { setTimeout as delay } from 'node:timers/promises';
import { TEST_KEY } from '#testkit/system.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import type { Arena } from './fault.ts';

/** Like a careful producer, repeat each event until it is accepted, for at most this long. */
const ACCEPT_DEADLINE_MS = 90_000;
/** Larger than a payload that is stored in the delivery itself. */
const LARGE_BYTES = 20 * 1024;

export interface LoadOptions {
  events: number;
  lastsMs: number;
  /** Called when an event was accepted, with the number accepted so far. */
  onAccepted: (count: number) => void;
}

/**
 * Publishes events with the producer's own ids at a steady pace. The seed chooses the tenants and
 * sizes. The pace does not wait for answers, so that a fault does not stop the load; only the
 * tenant with ordered events waits.
 */
export async function publishLoad(arena: Arena, options: LoadOptions): Promise<void> {
  const { tenants, ordered, random, ledger } = arena;
  let before = Promise.resolve();
  const beganMs = performance.now();
  const under: Promise<void>[] = [];
  for (let i = 0; i < options.events; i++) {
    const dueMs = beganMs + ((i + random()) * options.lastsMs) / options.events;
    const tenant = tenants[Math.floor(random() * tenants.length)] as string;
    const padding = random() < 0.05 ? 'x'.repeat(LARGE_BYTES) : '';
    await delay(Math.max(0, dueMs - performance.now()));
    const id = `e${i}`;
    const body = JSON.stringify({ id, type: 'load.tick', data: { id, padding } });
    const turn = tenant === ordered ? before : undefined;
    const accepted = (async () => {
      await turn;
      const firstSentMs = performance.now();
      await publish(arena, tenant, body);
      ledger.accept(tenant, id, firstSentMs);
      options.onAccepted(ledger.accepted);
    })();
    // `Promise.all` below reports the error.
    accepted.catch(() => undefined);
    if (tenant === ordered) before = accepted;
    under.push(accepted);
  }
  await Promise.all(under);
}

async function publish({ system }: Arena, tenant: string, body: string): Promise<void> {
  await waitUntil(
    async () => {
      const response = await fetch(`${system.url('ingress')}/v1/tenants/${tenant}/events`, {
        method: 'POST',
        headers: { authorization: `Bearer ${TEST_KEY}`, 'content-type': 'application/json' },
        body,
        signal: AbortSignal.timeout(10_000),
      });
      const answer = await response.text();
      if (response.status !== 202) throw new Error(`${response.status} ${answer}`);
      return true;
    },
    { what: 'an event accepted', deadlineMs: ACCEPT_DEADLINE_MS, intervalMs: 100 },
  );
}
