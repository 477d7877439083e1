import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import { connect } from '@nats-io/transport-node';
import { makeTenants } from '#testkit/make-tenants.ts';
import { type System, startSystem } from '#testkit/system.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { WebhookReceiver } from '#testkit/webhook-receiver.ts';
import { buckets, streams } from '#wire/subjects.ts';

const KV_BUCKETS = [buckets.config, buckets.leases, buckets.lanes, buckets.ordered];
const ROLES = ['ingress', 'router', 'delivery', 'control'] as const;

test('events arrive when consumers and buckets are deleted by hand', async (t) => {
  const receiver = await WebhookReceiver.start();
  const system = await startSystem([ROLES], { POSTHORN_SHARDS: '1' });
  const nc = await connect({ servers: system.natsUrl });
  t.after(async () => {
    await nc.close();
    await system.stop();
    await receiver.close();
  });
  const jsm = await jetstreamManager(nc);
  await makeTenants(system, receiver, 1);
  await publish(system, 'before');
  await receiver.waitFor(1, '/t0');
  await inHistory(system, 1);

  for (const stream of [streams.events, streams.deliveries, streams.records]) {
    await removeConsumers(jsm, stream(0));
  }
  const kvm = new Kvm(jetstream(nc));
  for (const bucket of KV_BUCKETS) await (await kvm.open(bucket)).destroy();
  await publish(system, 'during');
  await receiver.waitFor(2, '/t0', 60_000);
  await inHistory(system, 2);

  // A process that starts now finds the configuration: control has written it again.
  const config = await kvm.open(buckets.config);
  await waitUntil(async () => (await config.get('tenant.t0')) !== null, { deadlineMs: 30_000 });
  const [process] = system.processes;
  assert.ok(process);
  await process.kill('SIGKILL');
  await process.restart();
  await publish(system, 'afterwards');
  await receiver.waitFor(3, '/t0', 30_000);
  // Their positions are kept: no event is sent twice.
  const ids = receiver.at('/t0').map(({ headers }) => headers['webhook-id']);
  assert.deepEqual(ids, ['before', 'during', 'afterwards']);
});

async function removeConsumers(jsm: JetStreamManager, stream: string): Promise<void> {
  const names: string[] = [];
  for await (const { name } of jsm.consumers.list(stream)) names.push(name);
  assert.ok(names.length > 0);
  for (const name of names) await jsm.consumers.delete(stream, name);
}

async function publish(system: System, id: string): Promise<void> {
  const response = await system.fetch('/v1/tenants/t0/events', {
    method: 'POST',
    body: JSON.stringify({ id, type: 'order.created', data: { id } }),
  });
  assert.equal(response.status, 202, await response.text());
}

async function inHistory(system: System, count: number): Promise<void> {
  await waitUntil(
    async () => {
      const { body } = await system.api('GET', '/v1/tenants/t0/deliveries?status=delivered');
      return (body as { data: unknown[] }).data.length === count;
    },
    { what: `${count} deliveries in the history`, deadlineMs: 60_000, intervalMs: 200 },
  );
}
