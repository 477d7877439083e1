/**
 * 100,000 retries due in the same second: 10 tenants of 600 endpoints and 17 events each, all refused at first
 * with one `Retry-After`. Fewer than 20 failures in a row for each endpoint, so that no circuit opens.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { nodeMemoryMiB, type System } from '../system.ts';
import { Api, inParallel } from './api.ts';
import { QuietLoad, percentile } from './quiet-load.ts';
import { ReceiverProcess } from './receiver-process.ts';

const TENANTS = 10;
const ENDPOINTS = 600;
const EVENTS = 17;
const TOTAL = TENANTS * ENDPOINTS * EVENTS;
const WAIT_MS = 120_000;
const DRAIN_MAX_MS = 240_000;

export async function dueAtOnce(system: System): Promise<Record<string, unknown>> {
  const api = new Api(system);
  const receiver = new ReceiverProcess();
  const quiet = new QuietLoad(new Api(system), 50);
  const pid = system.process.pid as number;
  try {
    const port = await receiver.start();
    await inParallel(TENANTS, TENANTS, async (t) => {
      await api.call('PUT', `/v1/tenants/due-${t}`, { name: `due ${t}` });
      for (let e = 0; e < ENDPOINTS; e++) {
        const url = `http://127.0.0.1:${port}/${t}/${e}`;
        await api.call('POST', `/v1/tenants/due-${t}/endpoints`, { url });
      }
    });
    await quiet.start();
    await delay(10_000);
    const before = quiet.take();
    const memoryBefore = nodeMemoryMiB(pid);
    const dueMs = Math.ceil((Date.now() + WAIT_MS) / 1000) * 1000;
    receiver.takeFrom(dueMs);
    for (let n = 0; n < EVENTS; n++) {
      await inParallel(TENANTS, TENANTS, (t) =>
        api.call('POST', `/v1/tenants/due-${t}/events`, { type: 'due.thing', data: { n } }),
      );
    }
    while (receiver.counts.refused < TOTAL && Date.now() < dueMs - 3000) await delay(200);
    const waiting = receiver.counts.refused;
    await delay(Math.max(0, dueMs - 2000 - Date.now()));
    const memoryWaiting = nodeMemoryMiB(pid);
    quiet.take();
    await delay(Math.max(0, dueMs - Date.now()));
    let memoryPeak = 0;
    while (receiver.counts.delivered < TOTAL && Date.now() < dueMs + DRAIN_MAX_MS) {
      await delay(500);
      memoryPeak = Math.max(memoryPeak, nodeMemoryMiB(pid));
    }
    const during = quiet.take();
    return {
      retries: TOTAL,
      waiting_before_due: waiting,
      early: receiver.counts.early,
      delivered: receiver.counts.delivered,
      doubled: receiver.counts.doubled,
      drained_s: (receiver.counts.lastMs - dueMs) / 1000,
      quiet_p50_p95_before_ms: [percentile(before, 0.5), percentile(before, 0.95)],
      quiet_p50_p95_during_ms: [percentile(during, 0.5), percentile(during, 0.95)],
      quiet_missing: quiet.missing,
      quiet_refused: quiet.refused,
      node_mib_before: memoryBefore,
      node_mib_while_they_wait: memoryWaiting,
      node_mib_peak: memoryPeak,
    };
  } finally {
    quiet.close();
    receiver.stop();
    await api.close();
  }
}
