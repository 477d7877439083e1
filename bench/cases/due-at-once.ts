/**
 * 100,000 retries due in the same second: 10 tenants of 600 endpoints and 17 events each, all
 * refused at first with one `Retry-After`. Fewer than 20 failures in a row for each endpoint, so
 * that no circuit opens.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { nodeMemoryMiB, type System } from '../system.ts';
import { inParallel } from './api.ts';
import { besideQuiet, peakMiB, quietFigures } from './beside-quiet.ts';
import { makeTenants } from './make-tenants.ts';

const TENANTS = 10;
const ENDPOINTS = 600;
const EVENTS = 17;
const TOTAL = TENANTS * ENDPOINTS * EVENTS;
const WAIT_MS = 120_000;
const DRAIN_MAX_MS = 240_000;

export function dueAtOnce(system: System): Promise<Record<string, unknown>> {
  const pid = system.process.pid as number;
  return besideQuiet(system, async ({ api, receiver, receiverUrl, quiet }) => {
    await makeTenants(api, {
      prefix: 'due',
      tenants: TENANTS,
      endpoints: ENDPOINTS,
      atOnce: TENANTS,
      url: receiverUrl,
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
    const isDone = (): boolean => receiver.counts.delivered >= TOTAL;
    const memoryPeak = await peakMiB(system, isDone, dueMs + DRAIN_MAX_MS);
    const during = quiet.take();
    return {
      retries: TOTAL,
      waiting_before_due: waiting,
      early: receiver.counts.early,
      delivered: receiver.counts.delivered,
      doubled: receiver.counts.doubled,
      drained_s: (receiver.counts.lastMs - dueMs) / 1000,
      ...quietFigures(quiet, before, during),
      node_mib_before: memoryBefore,
      node_mib_while_they_wait: memoryWaiting,
      node_mib_peak: memoryPeak,
    };
  });
}
