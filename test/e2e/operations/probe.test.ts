/**
 * The synthetic probe on a whole system: it succeeds on a healthy one, reports broken parts, and
 * recovers.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Registry } from 'prom-client';
import { loadSettings } from '#config/load.ts';
import { systemClock } from '#infra/system-clock.ts';
import { createLog } from '#infra/telemetry/log.ts';
import type { Service } from '#infra/service.ts';
import { findFreePort } from '#src/embedded/free-port.ts';
import { canaryTenants } from '#src/probe/canary.ts';
import { createProbe } from '#src/probe/mod.ts';
import { LOST_AFTER_MS, LOST_MAX } from '#src/probe/round-ledger.ts';
import { type System, startSystem, TEST_KEY } from '#testkit/system.ts';
import { waitUntil } from '#testkit/wait-until.ts';

const SHARDS = 2;
const INTERVAL_MS = 1000;
const DEADLINE_MS = 60_000;
const tenants = canaryTenants('main', SHARDS);

let system: System;
let receiverUrl: string;
let probe: Service | undefined;
let registry: Registry;

before(async () => {
  receiverUrl = `http://127.0.0.1:${await findFreePort()}`;
  // Private networks are forbidden for endpoints, except for the probe's own receiver.
  system = await startSystem([['ingress', 'control'], ['router'], ['delivery']], {
    POSTHORN_SHARDS: String(SHARDS),
    POSTHORN_EGRESS_ALLOW: '',
    POSTHORN_PROBE_RECEIVER_URL: receiverUrl,
  });
  await startProbe();
});
after(async () => {
  await probe?.stop(1000);
  await system.stop();
});

async function startProbe(): Promise<void> {
  registry = new Registry();
  const settings = {
    ...loadSettings({}).probe,
    shards: SHARDS,
    intervalMs: INTERVAL_MS,
    ingressUrl: system.url('ingress'),
    controlUrl: system.url('control'),
    receiverUrl,
    key: TEST_KEY,
  };
  probe = createProbe({ clock: systemClock, settings, registry, log: createLog('silent') });
  await probe.start();
}

/** The value of a metric for each shard. */
async function byShard(name: string, result?: string): Promise<number[]> {
  const { values } = (await registry.getSingleMetric(name)?.get()) ?? { values: [] };
  return Array.from({ length: SHARDS }, (_, shard) =>
    values
      .filter(({ labels }) => labels['shard'] === shard)
      .filter(({ labels }) => result === undefined || labels['result'] === result)
      .reduce((sum, { value }) => sum + value, 0),
  );
}
const rounds = (result: string) => byShard('posthorn_probe_rounds_total', result);

/** Waits until each shard has `count` more rounds with the result. */
async function waitForRounds(result: string, count: number): Promise<void> {
  const from = await rounds(result);
  await waitUntil(
    async () => {
      const now = await rounds(result);
      return now.every((value, shard) => value >= (from[shard] as number) + count);
    },
    { what: `${count} more ${result} in each shard`, deadlineMs: DEADLINE_MS, intervalMs: 100 },
  );
}

test('the probe succeeds in every shard of a healthy system, and no other tenant can use its receiver', async () => {
  await waitForRounds('succeeded', 2);
  assert.deepEqual(await rounds('lost'), [0, 0]);
  assert.deepEqual(await rounds('refused'), [0, 0]);
  const age =
    Date.now() / 1000 -
    Math.min(...(await byShard('posthorn_probe_last_success_timestamp_seconds')));
  assert.ok(age < 30, String(age));

  await system.api('PUT', '/v1/tenants/acme', {});
  const { body } = await system.api('GET', '/v1/tenants');
  const listed = (body as { data: { id: string }[] }).data.map(({ id }) => id);
  assert.deepEqual(listed, ['acme'], 'a canary tenant is listed');
  const url = `${receiverUrl}/${tenants[0]}`;
  const refused = await system.api('POST', '/v1/tenants/acme/endpoints', { url });
  assert.equal(refused.status, 400, JSON.stringify(refused.body));
  const elsewhere = { url: `${system.with('delivery').opsUrl}/metrics` };
  const other = await system.api('POST', `/v1/tenants/${tenants[0]}/endpoints`, elsewhere);
  assert.equal(other.status, 400, JSON.stringify(other.body));
});

for (const role of ['router', 'delivery'] as const) {
  test(`the probe loses rounds and bounds its waiting events without ${role}, and succeeds after its restart`, async () => {
    const sentBefore = await byShard('posthorn_probe_sent_total');
    await system.with(role).kill('SIGKILL');
    const bound = LOST_MAX + LOST_AFTER_MS / INTERVAL_MS + 2;
    await waitForRounds('lost', bound + 3);
    const sent = await byShard('posthorn_probe_sent_total');
    for (const [shard, value] of sent.entries()) {
      const added = value - (sentBefore[shard] as number);
      assert.ok(added <= bound, `shard ${shard}: ${added} events wait`);
    }
    const lateBefore = await byShard('posthorn_probe_late_total');
    await system.with(role).restart();
    await waitForRounds('succeeded', 2);
    const late = await byShard('posthorn_probe_late_total');
    assert.ok(
      late.every((value, shard) => value > (lateBefore[shard] as number)),
      'no event that had waited arrived',
    );
  });
}

test('rounds are rejected without ingress', async () => {
  await system.with('ingress').kill('SIGKILL');
  await waitForRounds('refused', 6);
  await system.with('ingress').restart();
  await waitForRounds('succeeded', 1);
});

test('the probe creates its endpoint again when it was deleted', async () => {
  const path = `/v1/tenants/${tenants[1]}/endpoints`;
  const [removed] = await endpoints(path);
  const answer = await fetch(`${system.url('control')}${path}/${removed}`, {
    method: 'DELETE',
    headers: { authorization: `Bearer ${TEST_KEY}` },
  });
  assert.equal(answer.status, 204);
  await waitUntil(async () => ((await endpoints(path))[0] ?? removed) !== removed, {
    what: 'another endpoint',
    deadlineMs: DEADLINE_MS,
    intervalMs: 100,
  });
  await waitForRounds('succeeded', 1);
});

test('a restarted probe removes everything of its previous run', async () => {
  await probe?.stop(1000);
  await startProbe();
  await waitForRounds('succeeded', 1);
  for (const tenant of tenants) {
    assert.equal((await endpoints(`/v1/tenants/${tenant}/endpoints`)).length, 1);
  }
});

async function endpoints(path: string): Promise<string[]> {
  const { body } = await system.api('GET', path);
  return (body as { data: { id: string }[] }).data.map(({ id }) => id);
}
