import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeTenants } from '#testkit/make-tenants.ts';
import { startSystem } from '#testkit/system.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { WebhookReceiver } from '#testkit/webhook-receiver.ts';

interface Shown {
  id: string;
  status: string;
  starts_at: string | null;
  ended_at: string | null;
  tenants: { done_count: number; total_count: number | null };
  endpoints: { done_count: number; total_count: number | null };
}

const TENANTS = 400;

test(
  'a broadcast reaches every endpoint once and shows its progress when its router is killed',
  { timeout: 400_000 },
  async (t) => {
    const receiver = await WebhookReceiver.start();
    const system = await startSystem([['ingress', 'control', 'delivery'], ['router']], {
      // A third of the tenants are in the second chunk, which takes some seconds.
      POSTHORN_BROADCAST_ENDPOINTS_PER_SECOND: '30',
      POSTHORN_SHARDS: '1',
    });
    t.after(async () => {
      await system.stop();
      await receiver.close();
    });
    const tenants = await makeTenants(system, receiver, TENANTS);
    const sent = await system.api('POST', '/v1/events', { id: 'b1', type: 'a.b', data: { n: 1 } });
    assert.equal(sent.status, 202, JSON.stringify(sent.body));
    const { id: sentId } = sent.body as { id: string };
    const read = async (): Promise<Shown> =>
      (await system.api('GET', `/v1/broadcasts/${sentId}`)).body as Shown;
    // Within the second chunk: some of its copies are stored, but its progress is not.
    await receiver.waitFor(265, undefined, 60_000);
    const midway = await read();
    assert.equal(midway.status, 'running');
    assert.deepEqual(midway.tenants, { done_count: 256, total_count: TENANTS });
    await system.with('router').kill('SIGKILL');
    await system.with('router').restart();
    const done = await waitUntil(
      async () => {
        const shown = await read();
        return shown.status === 'done' ? shown : undefined;
      },
      { what: 'the broadcast is done', deadlineMs: 60_000 },
    );
    assert.deepEqual(done.tenants, { done_count: TENANTS, total_count: TENANTS });
    assert.deepEqual(done.endpoints, { done_count: TENANTS, total_count: TENANTS });
    assert.ok(done.starts_at !== null && done.ended_at !== null);
    await receiver.waitFor(TENANTS, undefined, 60_000);
    // In the history of each tenant it is a separate event.
    const last = tenants.at(-1) as string;
    await waitUntil(async () => {
      const { status } = await system.api('GET', `/v1/tenants/${last}/events/${sentId}`);
      return status === 200 || undefined;
    });
    const paths = receiver.requests.map(({ path }) => path);
    assert.deepEqual(paths.toSorted(), tenants.map((id) => `/${id}`).toSorted());
    assert.ok(receiver.requests.every(({ headers }) => headers['webhook-id'] === sentId));

    const again = await system.api('POST', '/v1/events', { id: 'b1', type: 'a.b', data: { n: 1 } });
    assert.equal(again.status, 202);
    const list = (await system.api('GET', '/v1/broadcasts')).body as { data: Shown[] };
    assert.deepEqual(list.data, [done]);
    assert.equal((await system.api('GET', '/v1/broadcasts/none')).status, 404);
  },
);
