import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type System, startSystem } from '#testkit/system.ts';
import { waitUntil } from '#testkit/wait-until.ts';

interface Polled {
  lease_id: string;
  event_id: string;
  sequence: number | null;
  body: string;
}

interface Answer {
  status: number;
  body: unknown;
}

/** Polls and commits; a fault of the moment yields nothing. */
async function drain(system: System, path: string): Promise<Polled[]> {
  const answer: Answer = await system
    .api('GET', `${path}/poll?limit=7&wait_seconds=1&lease_seconds=3`)
    .catch(() => ({ status: 503, body: undefined }));
  if (answer.status !== 200) return [];
  const { data } = answer.body as { data: Polled[] };
  if (data.length === 0) return [];
  const lease_ids = data.map(({ lease_id }) => lease_id);
  await system.api('POST', `${path}/commit`, { lease_ids }).catch(() => undefined);
  return data;
}

test(
  'two pollers get every event once it is stored, though workers and routers are killed',
  { timeout: 400_000 },
  async (t) => {
    const system = await startSystem([
      ['ingress', 'control'],
      ['router', 'delivery'],
      ['router', 'delivery'],
    ]);
    t.after(() => system.stop());
    await system.api('PUT', '/v1/tenants/acme', {});
    const made = await system.api('POST', '/v1/tenants/acme/endpoints', {
      kind: 'poll',
      sequenced: true,
    });
    assert.equal(made.status, 201, JSON.stringify(made.body));
    const { id } = made.body as { id: string };
    const path = `/v1/tenants/acme/endpoints/${id}`;
    const wanted = new Set<string>();
    const got = new Map<string, Polled>();
    const over = new AbortController();
    const pollers = [0, 1].map(async () => {
      while (!over.signal.aborted)
        for (const one of await drain(system, path)) got.set(one.event_id, one);
    });
    for (let i = 0; i < 60; i++) {
      const body = { id: `e${i}`, type: 'order.created', data: { i } };
      const published = await system.api('POST', '/v1/tenants/acme/events', body);
      assert.equal(published.status, 202);
      wanted.add(`e${i}`);
      if (i % 20 === 10) {
        const victim = system.processes[1 + (Math.floor(i / 20) % 2)];
        await victim?.kill('SIGKILL');
        await victim?.restart();
      }
    }
    await waitUntil(() => got.size === wanted.size, {
      what: 'every event was polled',
      deadlineMs: 120_000,
    });
    over.abort();
    await Promise.all(pollers);
    const numbers = [...got.values()].map(({ sequence }) => sequence ?? 0);
    assert.deepEqual(
      numbers.toSorted((a, b) => a - b),
      [...wanted].map((_, i) => i + 1),
      'the numbers have no gaps',
    );
    await waitUntil(
      async () => {
        const listed = await system.api('GET', `${path}/reconcile?limit=100`);
        const { data } = listed.body as { data: { status: string }[] };
        return data.length === wanted.size && data.every(({ status }) => status === 'delivered');
      },
      { what: 'every number is delivered', deadlineMs: 60_000 },
    );
  },
);
