import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeTenants } from '#testkit/make-tenants.ts';
import { type System, startSystem } from '#testkit/system.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { WebhookReceiver } from '#testkit/webhook-receiver.ts';

const DATA_PLANE = ['ingress', 'router', 'control'] as const;
const BATCH = 500;

test('a tenant that floods a slow endpoint gets a lane, and every delivery arrives when its worker is killed', async (t) => {
  const receiver = await WebhookReceiver.start();
  const system = await startSystem([DATA_PLANE, ['delivery']], {
    POSTHORN_SHARDS: '1',
    POSTHORN_ENDPOINT_IN_FLIGHT_MAX: '8',
  });
  t.after(async () => {
    await system.stop();
    await receiver.close();
  });
  await makeTenants(system, receiver, 2);
  // 80 in a second.
  receiver.on('/t0', { delayMs: 100, status: 200 });
  await publish(system, 't0', 0);
  const worker = system.with('delivery');
  const lanes = async (): Promise<boolean> => {
    const text = await (await fetch(`${worker.opsUrl}/metrics`)).text();
    return /^posthorn_delivery_lanes\{shard="0",state="active"\} 1$/m.test(text);
  };
  await waitUntil(lanes, { what: 'a lane', deadlineMs: 30_000, intervalMs: 100 });
  await publish(system, 't0', 1);
  await publish(system, 't0', 2);

  await worker.kill('SIGKILL');
  await worker.restart();
  await waitUntil(lanes, { what: 'the lane is found again', deadlineMs: 30_000, intervalMs: 100 });
  // The other tenant does not wait behind it.
  await publish(system, 't1', 0, 1);
  await receiver.waitFor(1, '/t1', 20_000);
  await waitUntil(() => delivered(receiver) === 3 * BATCH, {
    what: 'all arrives',
    deadlineMs: 180_000,
    intervalMs: 200,
  });
});

function delivered(receiver: WebhookReceiver): number {
  return new Set(receiver.at('/t0').map(({ headers }) => headers['webhook-id'])).size;
}

async function publish(
  system: System,
  tenant: string,
  batch: number,
  count = BATCH,
): Promise<void> {
  const events = Array.from({ length: count }, (_, i) => ({
    id: `${batch}-${i}`,
    type: 'order.created',
    data: { i },
  }));
  const response = await system.fetch(`/v1/tenants/${tenant}/events/batch`, {
    method: 'POST',
    body: JSON.stringify({ events }),
  });
  assert.ok(response.ok, await response.text());
}
