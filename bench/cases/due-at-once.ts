/**
 * 100,000 retries due in the same second: 10 tenants of 600 endpoints and 17 events each, all refused at first
 * with one `Retry-After`. Fewer than 20 failures in a row for each endpoint, so that no circuit opens.
 */
import { fork } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { nodeMemoryMiB, type System } from '../system.ts';
import { Api, inParallel } from './api.ts';
import { QuietLoad, percentile } from './quiet-load.ts';

const TENANTS = 10;
const ENDPOINTS = 600;
const EVENTS = 17;
const TOTAL = TENANTS * ENDPOINTS * EVENTS;
const WAIT_MS = 120_000;
const DRAIN_MAX_MS = 240_000;

interface Counts {
  port?: number;
  refused: number;
  early: number;
  delivered: number;
  doubled: number;
  lastMs: number;
}

export async function dueAtOnce(system: System): Promise<Record<string, unknown>> {
  const api = new Api(system);
  const receiver = fork(new URL('due-receiver.ts', import.meta.url));
  const quiet = new QuietLoad(new Api(system), 50);
  const pid = system.process.pid as number;
  let counts: Counts = { refused: 0, early: 0, delivered: 0, doubled: 0, lastMs: 0 };
  try {
    const port = await new Promise<number>((ready) => {
      receiver.on('message', (message: Counts) => {
        if (message.port === undefined) counts = message;
        else ready(message.port);
      });
    });
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
    receiver.send({ dueMs });
    for (let n = 0; n < EVENTS; n++) {
      await inParallel(TENANTS, TENANTS, (t) =>
        api.call('POST', `/v1/tenants/due-${t}/events`, { type: 'due.thing', data: { n } }),
      );
    }
    while (counts.refused < TOTAL && Date.now() < dueMs - 3000) await delay(200);
    const waiting = counts.refused;
    await delay(Math.max(0, dueMs - 2000 - Date.now()));
    const memoryWaiting = nodeMemoryMiB(pid);
    quiet.take();
    await delay(Math.max(0, dueMs - Date.now()));
    let memoryPeak = 0;
    while (counts.delivered < TOTAL && Date.now() < dueMs + DRAIN_MAX_MS) {
      await delay(500);
      memoryPeak = Math.max(memoryPeak, nodeMemoryMiB(pid));
    }
    const during = quiet.take();
    return {
      retries: TOTAL,
      waiting_before_due: waiting,
      early: counts.early,
      delivered: counts.delivered,
      doubled: counts.doubled,
      drained_s: (counts.lastMs - dueMs) / 1000,
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
    receiver.kill();
    await api.close();
  }
}
