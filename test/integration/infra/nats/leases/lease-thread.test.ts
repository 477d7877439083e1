import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { jetstream } from '@nats-io/jetstream';
import { type KV, Kvm } from '@nats-io/kv';
import { connect } from '@nats-io/transport-node';
import { pino } from 'pino';
import { LeaseEnd } from '#infra/nats/leases/lease-clock.ts';
import { LeaseThread } from '#infra/nats/leases/lease-thread.ts';
import { preferredOwner } from '#infra/nats/leases/placement.ts';
import { LEASE_MS } from '#infra/nats/streams/streams.ts';
import { startNatsServer } from '#testkit/servers.ts';
import { tempDir } from '#testkit/temp-dir.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { buckets, leaseKeys } from '#wire/subjects.ts';
import type { BusyRequest, OwnerReport } from './lease-owner.ts';

const KEY = leaseKeys('delivery').shard(0);
const NAMES = ['one', 'two'];
/** Longer than any step of a test. */
const LASTING_MS = 600_000;
const PREFERRED = preferredOwner(0, NAMES) as string;
const OTHER = NAMES.find((name) => name !== PREFERRED) as string;

async function startBucket(t: TestContext, ttl = LEASE_MS): Promise<{ url: string; bucket: KV }> {
  const server = await startNatsServer();
  t.after(() => server.dispose());
  const nc = await connect({ servers: server.url });
  t.after(() => nc.close());
  const options = { history: 1, ttl };
  return { url: server.url, bucket: await new Kvm(jetstream(nc)).create(buckets.leases, options) };
}

interface Owner {
  child: ChildProcess;
  reports: OwnerReport[];
  has: (kind: OwnerReport['kind']) => boolean;
  sentMs: () => number[];
}

async function startOwner(t: TestContext, url: string, name: string): Promise<Owner> {
  const child = fork(new URL('lease-owner.ts', import.meta.url), [url, name], { execArgv: [] });
  t.after(async () => {
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  });
  const reports: OwnerReport[] = [];
  child.on('message', (stated) => void reports.push(stated as OwnerReport));
  const has = (kind: OwnerReport['kind']): boolean =>
    reports.some((stated) => stated.kind === kind);
  await waitUntil(() => has('started'), { deadlineMs: 60_000, what: `${name} started` });
  return { child, reports, has, sentMs: () => reports.flatMap(sentAt) };
}

function sentAt(stated: OwnerReport): number[] {
  return stated.kind === 'sent' ? [stated.atMs] : [];
}

/** Starts two processes, of which the first owns the shard. */
async function startTwo(t: TestContext): Promise<{ owner: Owner; other: Owner; bucket: KV }> {
  const { url, bucket } = await startBucket(t);
  const owner = await startOwner(t, url, PREFERRED);
  await waitUntil(() => owner.has('sent'), { what: 'the preferred owner sends' });
  return { owner, other: await startOwner(t, url, OTHER), bucket };
}

function occupy({ child }: Owner, request: BusyRequest): void {
  child.send(request);
}

function busyEnd({ reports }: Owner): Extract<OwnerReport, { kind: 'busy ended' }> | undefined {
  return reports.find((stated) => stated.kind === 'busy ended');
}

test('a process keeps its shard while its event loop is busy for longer than a lease', async (t) => {
  const { owner, other, bucket } = await startTwo(t);
  occupy(owner, { busyMs: LEASE_MS + 2000 });
  await waitUntil(() => busyEnd(owner) !== undefined, { deadlineMs: 60_000 });
  assert.equal(busyEnd(owner)?.owns, true);
  const sentInBusyLoop = owner.sentMs().length;
  await waitUntil(() => owner.sentMs().length > sentInBusyLoop + 10, { what: 'it sends on' });
  assert.equal((await bucket.get(KEY))?.string(), PREFERRED);
  assert.ok(!owner.has('lost'));
  assert.ok(!other.has('acquired'));
});

test('a process loses its shard and sends nothing more when its event loop is stuck', async (t) => {
  const { owner, other, bucket } = await startTwo(t);
  const untilFile = join(await tempDir(t), 'end');
  occupy(owner, { untilFile });
  await waitUntil(() => other.has('sent'), { deadlineMs: 60_000, what: 'the other one sends' });
  assert.equal((await bucket.get(KEY))?.string(), OTHER);
  await writeFile(untilFile, '');
  await waitUntil(() => busyEnd(owner) !== undefined, { deadlineMs: 60_000 });
  const { owns, atMs } = busyEnd(owner) as { owns: boolean; atMs: number };
  assert.equal(owns, false);
  await waitUntil(() => owner.has('lost'), { deadlineMs: 60_000 });
  const [firstOfOther = 0] = other.sentMs();
  const between = owner.sentMs().filter((sent) => sent > firstOfOther && sent <= atMs);
  assert.deepEqual(between, []);
  // It is the preferred owner again, and acquires the shard when the other one has released it.
  await waitUntil(() => owner.sentMs().some((sent) => sent > atMs), { deadlineMs: 60_000 });
  const again = owner.sentMs().find((sent) => sent > atMs) as number;
  assert.ok(other.sentMs().every((sent) => sent < again));
});

test('the lease thread is started again with its leases when it ends', async (t) => {
  const { url, bucket } = await startBucket(t, LASTING_MS);
  const log = pino({ level: 'silent' });
  const thread = new LeaseThread({ url, name: 'test leases', login: {}, log });
  t.after(() => thread.stop());
  await thread.start();
  const end = new LeaseEnd();
  end.ms = performance.now() + LASTING_MS;
  const revisionNow = async (): Promise<number> => (await bucket.get(KEY))?.revision ?? 0;
  thread.hold(KEY, 'one', await bucket.create(KEY, 'one'), end);
  const first = await revisionNow();
  const wait = { deadlineMs: 60_000, what: 'the lease renewed' };
  await waitUntil(async () => (await revisionNow()) > first, wait);
  // oxlint-disable-next-line typescript/dot-notation -- no other way ends it
  await thread['worker']?.terminate();
  // The lease is not under test here: a slow machine may take longer to start a thread.
  end.ms = performance.now() + LASTING_MS;
  const second = await revisionNow();
  await waitUntil(async () => (await revisionNow()) > second, wait);
  assert.ok(((await thread.release(KEY)) as number) > second);
});
