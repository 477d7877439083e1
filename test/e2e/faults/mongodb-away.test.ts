import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeTenants } from '#testkit/make-tenants.ts';
import { startSystem } from '#testkit/system.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { WebhookReceiver } from '#testkit/webhook-receiver.ts';

test(
  'events are accepted, routed and delivered without MongoDB, also by newly started processes',
  {
    timeout: 400_000,
  },
  async (t) => {
    const receiver = await WebhookReceiver.start();
    const system = await startSystem([['ingress'], ['router'], ['delivery'], ['control']]);
    t.after(async () => {
      await system.stop();
      await receiver.close();
    });
    await makeTenants(system, receiver, 1);
    await system.mongod.kill();
    await publish(system, 'while-away');
    await receiver.waitFor(1, '/t0');

    // The data plane starts from the snapshot in NATS alone.
    for (const role of ['ingress', 'router', 'delivery'] as const) {
      await system.with(role).kill('SIGKILL');
      await system.with(role).restart();
    }
    await publish(system, 'after-restart');
    await receiver.waitFor(2, '/t0', 20_000);
    const refused = await system.api('GET', '/v1/tenants/t0/events');
    assert.equal(refused.status, 503);
    assert.equal((refused.body as { code: string }).code, 'POSTHORN_MONGODB_UNAVAILABLE');

    await system.mongod.restart();
    // The history is complete, and an id used during the outage still means one event.
    await waitUntil(
      async () => {
        const { body } = await system.api('GET', '/v1/tenants/t0/deliveries?status=delivered');
        return (body as { data: unknown[] }).data.length === 2;
      },
      { what: 'both deliveries in the history', deadlineMs: 60_000, intervalMs: 200 },
    );
    const again = await publish(system, 'after-restart');
    assert.equal(again.headers.get('idempotency-replayed'), 'true');
  },
);

async function publish(
  system: Awaited<ReturnType<typeof startSystem>>,
  id: string,
): Promise<Response> {
  const response = await system.fetch('/v1/tenants/t0/events', {
    method: 'POST',
    body: JSON.stringify({ id, type: 'order.created', data: { id } }),
  });
  assert.equal(response.status, 202, await response.clone().text());
  return response;
}
