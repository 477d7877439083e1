/**
 * Processes that hang, have ended or lack resources: the metrics of the alerts show it, and the
 * step of the page repairs it.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { findFreePort } from '#src/embedded/free-port.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { WebhookReceiver } from '#testkit/webhook-receiver.ts';
import { LocalSystem, type PrivatePort, secondly } from './local-system.ts';

const DEADLINE = { deadlineMs: 45_000, intervalMs: 100 };
/** The settings of a process are read from /proc, and prlimit is a program of Linux. */
const skip = process.platform === 'linux' ? false : 'Linux only';

let system: LocalSystem;
before(async () => {
  if (skip === false) system = await LocalSystem.run();
});
after(() => system?.stop());

const OLDEST = 'posthorn_consumer_oldest_seconds';
const LAG = 'posthorn_delivery_first_attempt_lag_seconds';
const isOne = (value: number) => value === 1;
const isZero = (value: number) => value === 0;

test(
  'shard-unowned, router-behind, deliveries-late: other workers take over when no process works',
  { skip },
  async () => {
    const { receiver } = system;
    receiver
      .on('/late', { status: 200 })
      .on('/again', (_, nth) => ({ status: nth === 1 ? 500 : 200 }));
    await system.endpoint('late', receiver.url('/late'));
    await system.endpoint('again', receiver.url('/again'), [5]);
    const second = await system.another('ingress,control');
    await second.until(isOne, 'posthorn_workers', 'role="router"');
    await system.publish('again', 'runbook.f', 'r6');
    await receiver.waitFor(1, '/again', DEADLINE.deadlineMs);
    await waitUntil(() => waitsForRetry('/v1/tenants/again/events/r6/deliveries'), DEADLINE);
    await system.whileHanging(system.pidOf('--roles'), async () => {
      for (const role of ['router', 'delivery']) {
        await second.until(isOne, 'posthorn_shards_unowned', `role="${role}"`);
        await second.until(isZero, 'posthorn_workers', `role="${role}"`);
      }
      assert.equal(await second.metric('posthorn_probe_last_success_timestamp_seconds'), -1);
      assert.equal((await system.publish('late', 'runbook.g', 'r7', second.apiUrl)).status, 202);
      await second.above(0, OLDEST, 'stream="EV-0",consumer="router"');
      await second.above(0, OLDEST, 'stream="DLV-0",consumer="deliver-again"');

      await system.another('router');
      await second.until(isZero, 'posthorn_shards_unowned', 'role="router"');
      await second.until(isZero, OLDEST, 'stream="EV-0",consumer="router"');
      await second.above(0, OLDEST, 'stream="DLV-0",consumer="deliver-shared"');

      const worker = await system.another('delivery');
      await receiver.waitFor(1, '/late', DEADLINE.deadlineMs);
      await receiver.waitFor(2, '/again', DEADLINE.deadlineMs);
      await second.until(isZero, 'posthorn_shards_unowned', 'role="delivery"');
      for (const consumer of ['deliver-shared', 'deliver-again']) {
        await second.until(isZero, OLDEST, `stream="DLV-0",consumer="${consumer}"`);
      }
      assert.ok((await lateIn(worker)) >= 1, 'a first attempt was late');
    });
    await system.above(0, 'posthorn_probe_last_success_timestamp_seconds');
    await system.endOthers();
    for (const role of ['router', 'delivery']) {
      await system.until(isOne, 'posthorn_workers', `role="${role}"`);
      await system.until(isZero, 'posthorn_shards_unowned', `role="${role}"`);
    }
  },
);

/** Its attempt is recorded, so its schedule is stored. */
async function waitsForRetry(path: string): Promise<boolean> {
  const deliveries = (await system.api('GET', path)).body['data'] as { attempt_count: number }[];
  return deliveries.some((delivery) => delivery.attempt_count === 1);
}

/** First attempts that began later than 100 ms after their events. */
async function lateIn(port: PrivatePort): Promise<number> {
  const inTime = await port.metric(`${LAG}_bucket`, 'le="0.1"');
  return (await port.metric(`${LAG}_count`)) - inTime;
}

test('deliveries-late: deliveries are late while the event loop is blocked', { skip }, async () => {
  const lag = 'nodejs_eventloop_lag_p99_seconds';
  await system.above(-1, lag);
  await waitUntil(
    async () => {
      const begun = performance.now();
      await system.whileHanging(system.pidOf('--roles'), () =>
        waitUntil(() => performance.now() > begun + 700).then(() => undefined),
      );
      return (await system.metric(lag)) > 0.5;
    },
    { what: 'a lag over half a second', ...DEADLINE },
  );
  await system.until((value) => value < 0.5, lag);
});

test(
  'attempts-unexpected, pods-restart: a process without free descriptors is replaced',
  { skip },
  async () => {
    const faults = ['posthorn_delivery_local_faults_total', 'fault="descriptors"'] as const;
    const before = system.pidOf('--roles');
    const port = await findFreePort();
    await system.endpoint('files', `http://127.0.0.1:${port}/hook`, secondly(50));
    await system.publish('files', 'runbook.h', 'r8');
    const [delivery] = await system.list('/v1/tenants/files/deliveries', 1);
    assert.equal(await system.metric(...faults), 0);
    // Without descriptors it accepts no connection on which to read its metrics.
    await waitUntil(
      async () => {
        const begun = performance.now();
        await withoutDescriptors(before, () =>
          waitUntil(() => performance.now() > begun + 1500).then(() => undefined),
        );
        return (await system.metric(...faults)) > 0;
      },
      { what: 'a fault of the machine', ...DEADLINE },
    );

    await system.logged(/"fault":"descriptors".*"delivery\.local_fault"/);
    process.kill(before, 'SIGKILL');
    await system.logged(/"process\.restarted"/);
    await system.ready();
    assert.notEqual(system.pidOf('--roles'), before);
    assert.equal(await system.metric(...faults), 0);
    const receiver = await WebhookReceiver.start(port);
    after(() => receiver.close());
    const path = `/v1/tenants/files/deliveries/${String(delivery?.['id'])}/attempts`;
    const attempts = await waitUntil(
      async () => {
        const all = (await system.api('GET', path)).body['data'] as Record<string, unknown>[];
        return all.some(({ response_status: status }) => status === 200) && all;
      },
      { what: 'the delivery in the history', ...DEADLINE },
    );
    const failures = attempts.flatMap(({ failure }) => failure ?? []);
    assert.deepEqual(new Set(failures), new Set(['connect']));
  },
);

/** The process cannot open a file or socket during `during`. */
async function withoutDescriptors(pid: number, during: () => Promise<void>): Promise<void> {
  const prlimit = (...options: string[]) =>
    execFileSync('prlimit', ['--pid', String(pid), ...options], { encoding: 'utf8' }).trim();
  const former = prlimit('--nofile', '--output=SOFT', '--noheadings');
  prlimit('--nofile=10:');
  try {
    await during();
  } finally {
    prlimit(`--nofile=${former}:`);
  }
}
