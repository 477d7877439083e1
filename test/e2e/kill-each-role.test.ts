import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Role } from '#config/schema.ts';
import { makeTenants, publishAll, settle } from '#testkit/load.ts';
import { startSystem, type System } from '#testkit/system.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { WebhookReceiver } from '#testkit/webhook-receiver.ts';

const EVENTS = 1200;
const TENANTS = 8;
const PRODUCERS = 16;

/** A kill -9 of the role's process a third of the way, its restart, and a kill -9 of the broker. */
const faults: (Role | 'nats')[] = ['ingress', 'router', 'delivery', 'control', 'nats'];

for (const fault of faults) {
  test(`kill -9 of ${fault} under load loses nothing`, { timeout: 180_000 }, async (t) => {
    const { system, receiver } = await begin(t);
    await makeTenants(system, receiver, TENANTS);
    let restarted: Promise<unknown> | undefined;
    const accepted = await publishAll({
      system,
      receiver,
      tenants: TENANTS,
      events: EVENTS,
      producers: PRODUCERS,
      onProgress(count) {
        if (count >= EVENTS / 3) restarted ??= killAndRestart(system, fault);
      },
    });
    await restarted;
    assert.equal(accepted.size, EVENTS);
    const { lost, duplicates } = await settle(receiver, accepted, 90_000);
    assert.deepEqual(lost, []);
    // What was in hand when the process died may be sent again: its window, not more.
    assert.ok(duplicates <= EVENTS / 4, `${duplicates} of ${EVENTS} were sent twice`);
    t.diagnostic(`${fault}: ${accepted.size} accepted, 0 lost, ${duplicates} doubled`);
    await historyIsComplete(system, accepted.size);
  });
}

async function killAndRestart(system: System, fault: Role | 'nats'): Promise<void> {
  if (fault === 'nats') {
    await system.restartNats();
    return;
  }
  const process = system.with(fault);
  await process.kill('SIGKILL');
  await process.restart();
}

/** Every delivery is shown as delivered, with its attempts. */
async function historyIsComplete(system: System, events: number): Promise<void> {
  await waitUntil(
    async () => {
      let delivered = 0;
      for (let i = 0; i < TENANTS; i++) {
        let cursor: string | undefined;
        do {
          const query = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`;
          const path = `/v1/tenants/t${i}/deliveries?status=delivered&limit=250${query}`;
          const page = (await system.api('GET', path)).body as {
            data: unknown[];
            next_cursor: string | null;
          };
          delivered += page.data.length;
          cursor = page.next_cursor ?? undefined;
        } while (cursor !== undefined);
      }
      return delivered === events;
    },
    { what: `${events} deliveries in the history`, deadlineMs: 90_000, intervalMs: 500 },
  );
}

async function begin(t: {
  after: (done: () => Promise<void>) => void;
}): Promise<{ system: System; receiver: WebhookReceiver }> {
  const receiver = await WebhookReceiver.start();
  const system = await startSystem([['ingress'], ['router'], ['delivery'], ['control']]);
  t.after(async () => {
    await system.stop();
    await receiver.close();
  });
  return { system, receiver };
}
