/**
 * A process that owns shards: `node lease-owner.ts NATS_URL NAME`. It "sends" every few
 * milliseconds while it may, and blocks its event loop on request. Talks to its parent over IPC.
 */
import { existsSync } from 'node:fs';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import { pino } from 'pino';
import { systemClock } from '#infra/system-clock.ts';
import { connectNats } from '#infra/nats/connection.ts';
import { LeaseThread } from '#infra/nats/leases/lease-thread.ts';
import { ShardLeases } from '#infra/nats/leases/shard-leases.ts';
import { buckets } from '#wire/subjects.ts';

/** From the child; times are milliseconds of the clock that all processes share. */
export type OwnerReport =
  | { kind: 'started' | 'acquired' | 'lost' }
  | { kind: 'sent'; atMs: number }
  | { kind: 'busy ended'; owns: boolean; atMs: number };

/** Blocks the event loop in one turn: for a time, or until a file exists. */
export interface BusyRequest {
  busyMs?: number;
  untilFile?: string;
}

const SHARD = 0;
const SEND_EVERY_MS = 5;

let spins = 0;

const [url, me] = process.argv.slice(2) as [string, string];
const log = pino({ level: 'silent' });
const report = (stated: OwnerReport): void => void process.send?.(stated);
const sharedMs = (): number => Number(process.hrtime.bigint()) / 1e6;

const nc = await connectNats(url, me, log);
const renewer = new LeaseThread({ url, name: `${me} leases`, login: {}, log });
await renewer.start();
const leases = new ShardLeases({
  clock: systemClock,
  kind: 'delivery',
  kv: await new Kvm(jetstream(nc)).open(buckets.leases),
  renewer,
  jsm: await jetstreamManager(nc),
  me,
  shards: 1,
  log,
});
await leases.start({
  onAcquired: async () => report({ kind: 'acquired' }),
  onRelease: async () => undefined,
  onExpired: () => report({ kind: 'lost' }),
});

function send(): void {
  if (leases.owns(SHARD)) report({ kind: 'sent', atMs: sharedMs() });
}
setInterval(send, SEND_EVERY_MS);

process.on('message', ({ busyMs = 0, untilFile }: BusyRequest) => {
  const endMs = performance.now() + busyMs;
  while (performance.now() < endMs);
  if (untilFile !== undefined) while (!existsSync(untilFile)) spins++;
  // Before any other code of this process has checked a lease.
  report({ kind: 'busy ended', owns: leases.owns(SHARD), atMs: sharedMs() });
  send();
});
process.once('disconnect', () => process.exit());
report({ kind: 'started' });
