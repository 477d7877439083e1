/**
 * The thread that renews the leases of its process, with its own NATS connection
 * (`LeaseThread` starts it).
 */
import { parentPort, workerData } from 'node:worker_threads';
import { jetstream } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import { retry } from '#infra/retry.ts';
import { RepeatingFault } from '#infra/telemetry/repeating-fault.ts';
import { sharedClockOffsetMs, systemClock } from '#infra/system-clock.ts';
import { buckets } from '#wire/subjects.ts';
import { type ConnectionLog, connectNats } from '../connection.ts';
import { LeaseEnd } from './lease-clock.ts';
import type { LeaseNotice, LeaseRequest, LeaseWorkerData } from './lease-messages.ts';
import { LeaseRenewals } from './lease-renewals.ts';
import { OwnerProgress } from './owner-progress.ts';

/** A renewal without an answer is sent again while its lease lasts. */
const ANSWER_MAX_MS = 1000;
const OPEN_RETRY = { firstMs: 250, maxMs: 250 };

const owner = parentPort as NonNullable<typeof parentPort>;
const { url, name, login, progress, ownerOffsetMs } = workerData as LeaseWorkerData;

// oxlint-disable-next-line unicorn/require-post-message-target-origin -- threads have no origin
const notify = (notice: LeaseNotice): void => owner.postMessage(notice);

type Say = (facts: Record<string, unknown>, event: string) => void;

const say = (level: 'warn' | 'error'): Say => {
  return (facts, event) =>
    notify({ kind: 'log', level, facts: { ...facts, thread: 'leases' }, name: event });
};

/** The owner writes the log: one process has one stream of lines. */
const log = { warn: say('warn'), error: say('error') } as ConnectionLog;

async function openLeases(): Promise<Awaited<ReturnType<Kvm['open']>>> {
  const fault = new RepeatingFault(log, 'placement.look_failed', systemClock.monotonicMs);
  const nc = await connectNats(url, name, log, login);
  const kvm = new Kvm(jetstream(nc, { timeout: ANSWER_MAX_MS }));
  return retry(() => kvm.open(buckets.leases), {
    ...OPEN_RETRY,
    onFailure: (error) => fault.failed(error as Error),
  });
}

const kv = await openLeases();
const offsetMs = sharedClockOffsetMs() - ownerOffsetMs;
const ownerProgress = new OwnerProgress(progress, systemClock.monotonicMs);
const renewals = new LeaseRenewals({
  kv,
  now: () => systemClock.monotonicMs() + offsetMs,
  isOwnerAlive: () => ownerProgress.isRecent(),
  log,
});
owner.on('message', (request: LeaseRequest) => {
  switch (request.kind) {
    case 'alive':
      renewals.keepAlive(request.key, request.value);
      break;
    case 'hold':
      renewals.hold(request.key, request.value, request.revision, new LeaseEnd(request.end));
      break;
    case 'release': {
      const { key, request: number } = request;
      void renewals
        .release(key)
        .then((revision) => notify({ kind: 'released', request: number, revision }));
      break;
    }
  }
});
notify({ kind: 'ready' });
