import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { jetstreamManager } from '@nats-io/jetstream';
import { deliveryId } from '#domain/ids.ts';
import { systemClock } from '#infra/system-clock.ts';
import { historyOf } from '#infra/mongo/documents.ts';
import {
  type PlanDocument,
  type ReplayDocument,
  replayStoreOf,
} from '#infra/mongo/replays/replay-store.ts';
import { LeaseLost, WorkLeases } from '#infra/mongo/replays/work-leases.ts';
import { Publisher } from '#infra/nats/publish/publisher.ts';
import { createLog } from '#infra/telemetry/log.ts';
import { CurrentLives } from '#src/control/lives/current-lives.ts';
import { configurationOf } from '#infra/mongo/configuration.ts';
import { planOf } from '#src/control/plans/new-plan.ts';
import { PlanCounter } from '#src/control/plans/plan-counter.ts';
import { PublishedDeliveries } from '#src/control/replays/actions/published-deliveries.ts';
import { SendAgain } from '#src/control/replays/actions/send-again.ts';
import { NewDeliveries } from '#src/control/replays/new-deliveries.ts';
import { ReplayRunner, type RunStep } from '#src/control/replays/replay-runner.ts';
import { Replays } from '#src/control/replays/replays.ts';
import { StoredEvents } from '#src/control/replays/stored-events.ts';
import { streams } from '#wire/subjects.ts';
import { type ControlPlane, startControlPlane } from '../control-plane.ts';
import { type SeededTenant, seedTenant } from './seeded-history.ts';

class Crash extends Error {}

let plane: ControlPlane;
let publisher: Publisher;
before(async (t) => {
  // Its own loops would take the work of the tests.
  plane = await startControlPlane(t as never);
  await plane.control.service.stop(5000);
  const { nc } = plane;
  publisher = new Publisher({ clock: systemClock, nc, window: 100, log: createLog('silent') });
  (t as { after: (end: () => void) => void }).after(() => publisher.close());
});

const jsm = () => jetstreamManager(plane.nc);
const never = new AbortController().signal;
const leasesOf = (leaseMs?: number) => {
  const { plans, replays } = replayStoreOf(plane.db);
  const rest = { clock: systemClock, ...(leaseMs === undefined ? {} : { leaseMs }) };
  return {
    plans: new WorkLeases<PlanDocument>({
      collection: plans,
      open: { status: 'counting' },
      ...rest,
    }),
    replays: new WorkLeases<ReplayDocument>({
      collection: replays,
      open: { status: 'running' },
      ...rest,
    }),
  };
};

function counterOf(onStep?: () => Promise<void>, itemsMax?: number): PlanCounter {
  const history = historyOf(plane.db);
  const matches = { of: async () => [] };
  const { config, payloads } = plane;
  const store = replayStoreOf(plane.db);
  const deps = { store, history, config, payloads, matches, clock: systemClock };
  return new PlanCounter({ ...deps, onStep, itemsMax });
}

function runnerOf(onStep?: (step: RunStep) => Promise<void>): ReplayRunner {
  const history = historyOf(plane.db);
  const { payloads, config } = plane;
  const send = new SendAgain({
    history,
    events: new StoredEvents({ history, payloads, jsm, shards: 1 }),
    deliveries: new NewDeliveries({ config, publisher, records: { add: () => undefined } }),
    published: new PublishedDeliveries({ history, jsm, shards: 1 }),
    clock: systemClock,
  });
  return new ReplayRunner({
    store: replayStoreOf(plane.db),
    actions: { replay: send, cancel: send, release: send, discard: send },
    lives: new CurrentLives(configurationOf(plane.db)),
    backlog: { untilQuiet: async () => undefined },
    shards: 1,
    clock: systemClock,
    onStep,
  });
}

/** Claims and works until nothing is left; a crash loses the lease, as the death of a process. */
async function countAll(counter: PlanCounter): Promise<void> {
  for (;;) {
    const claimed = await leasesOf().plans.claim();
    if (claimed === undefined) return;
    try {
      await counter.work(claimed, never);
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
    }
    await claimed.lease.release();
  }
}

async function runAll(runner: ReplayRunner): Promise<void> {
  for (;;) {
    const claimed = await leasesOf().replays.claim();
    if (claimed === undefined) return;
    try {
      await runner.work(claimed, never);
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
    }
    await claimed.lease.release();
  }
}

async function seeded(name: string, count: number): Promise<SeededTenant> {
  const tenant = await seedTenant(plane, name);
  for (let n = 0; n < count; n++) {
    await tenant.addEvent(`e${n}`);
    await tenant.addDelivery(`e${n}`, 'failed');
  }
  return tenant;
}

async function addPlan(tenant: SeededTenant, id: string): Promise<void> {
  const request = { action: 'replay', kind: 'failed', all: true, per_second: 40 } as const;
  await replayStoreOf(plane.db).plans.insertOne(planOf(id, tenant.name, request, Date.now()));
}

async function start(tenant: SeededTenant, plan_id: string): Promise<string> {
  const store = replayStoreOf(plane.db);
  const find = async (_: string, id: string) =>
    (await store.plans.findOne({ _id: id })) as PlanDocument;
  const replays = new Replays({
    store,
    plans: { find },
    clock: systemClock,
    onWork: () => undefined,
  });
  return (await replays.start(tenant.name, { plan_id })).id;
}

test('a plan has each item once when its counting crashes at each page', async () => {
  const tenant = await seeded('crash-plan', 5);
  await addPlan(tenant, 'pln_crash');
  let crashes = 0;
  const crashing = async (): Promise<void> => {
    if (crashes++ < 3) throw new Crash();
  };
  await countAll(counterOf(crashing));
  const plan = await replayStoreOf(plane.db).plans.findOne({ _id: 'pln_crash' });
  assert.equal(plan?.status, 'ready');
  assert.equal(plan?.count, 5);
  assert.equal(crashes, 4);
  const chunks = await replayStoreOf(plane.db).chunks.find({ plan: 'pln_crash' }).toArray();
  assert.equal(chunks.flatMap(({ items }) => items).length, 5);
});

test('a plan stops at the bound of its list and says so', async () => {
  const tenant = await seeded('crash-bound', 5);
  await addPlan(tenant, 'pln_bound');
  await countAll(counterOf(undefined, 3));
  const plan = await replayStoreOf(plane.db).plans.findOne({ _id: 'pln_bound' });
  assert.equal(plan?.count, 3);
  assert.equal(plan?.more, true);
});

for (const step of ['announced', 'applied'] as const) {
  test(`a replay publishes one delivery for each item when it crashes at each batch: ${step}`, async () => {
    const tenant = await seeded(`crash-${step}`, 25);
    await addPlan(tenant, `pln_${step}`);
    await countAll(counterOf());
    const id = await start(tenant, `pln_${step}`);
    let steps = 0;
    const crashing = async (at: RunStep): Promise<void> => {
      // Every batch crashes once, and its repeat succeeds.
      if (at === step && steps++ % 2 === 0) throw new Crash();
    };
    await runAll(runnerOf(crashing));
    const replay = await replayStoreOf(plane.db).replays.findOne({ _id: id });
    assert.equal(replay?.status, 'completed');
    assert.equal(replay?.done, 25);
    assert.deepEqual(replay?.results, { replayed: 25 });
    assert.ok(steps >= 6);
    const messages = await tenant.messages();
    assert.equal(new Set(messages.map(({ head }) => head.id)).size, 25);
    assert.equal(messages.length, 25);
  });
}

test('a process that lost its lease writes nothing, and its successor continues', async () => {
  const tenant = await seeded('crash-lease', 5);
  await addPlan(tenant, 'pln_lease');
  await countAll(counterOf());
  const id = await start(tenant, 'pln_lease');
  const slow = await leasesOf(0).replays.claim();
  assert.ok(slow !== undefined);
  assert.ok(slow.lease.isExpired());
  const taken = await leasesOf().replays.claim();
  assert.equal(taken?.document._id, id);
  assert.equal(await leasesOf().replays.claim(), undefined);
  await assert.rejects(slow.lease.write({ done: 99 }), LeaseLost);
  await slow.lease.release();
  await taken?.lease.release();
  await runAll(runnerOf());
  const replay = await replayStoreOf(plane.db).replays.findOne({ _id: id });
  assert.deepEqual([replay?.status, replay?.done], ['completed', 5]);
});

test('deliveries of an old run are found in the stream and in the history', async () => {
  const tenant = await seeded('crash-old', 3);
  const deliveries = new NewDeliveries({
    config: plane.config,
    publisher,
    records: { add: () => undefined },
  });
  const idOf = (event: string) => deliveryId(tenant.name, event, tenant.endpoint, 'again');
  const bytes = Buffer.from('{"id":"e0"}\n{}');
  const event = { facts: { id: 'e0', type: 'a.b', acceptedMs: 1 }, seq: 1, bytes };
  const { name: lifeId, endpoint } = tenant;
  const sinceMs = Date.now();
  await deliveries.publish({ lifeId, id: idOf('e0'), endpoint, event, link: {} });
  await tenant.addDelivery('e1', 'delivered', { _id: idOf('e1') });
  await (await jsm()).streams.purge(streams.records(0));
  const published = new PublishedDeliveries({ history: historyOf(plane.db), jsm, shards: 1 });
  const ids = ['e0', 'e1', 'e2'].map(idOf);
  const found = await published.among(lifeId, ids, { sinceMs, ageMs: 600_000 });
  assert.deepEqual([...found].toSorted(), [idOf('e0'), idOf('e1')].toSorted());
  const soon = await published.among(lifeId, ids, { sinceMs, ageMs: 1000 });
  assert.equal(soon.size, 0);
});
