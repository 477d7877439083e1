/** One broadcast to 100,000 endpoints of 1,000 tenants while quiet tenants publish. */
import { setTimeout as delay } from 'node:timers/promises';
import { nodeMemoryMiB, type System } from '../system.ts';
import { besideQuiet, peakMiB, quietFigures } from './beside-quiet.ts';
import { makeTenants } from './make-tenants.ts';

const TENANTS = 1000;
const ENDPOINTS = 100;
const TOTAL = TENANTS * ENDPOINTS;
const DONE_MAX_MS = 900_000;

export function broadcast(system: System): Promise<Record<string, unknown>> {
  return besideQuiet(system, async ({ api, receiver, receiverUrl, quiet }) => {
    receiver.takeFrom(0);
    const setUpMs = performance.now();
    await makeTenants(api, {
      prefix: 'cast',
      tenants: TENANTS,
      endpoints: ENDPOINTS,
      atOnce: 16,
      url: receiverUrl,
      eventTypes: ['news.*'],
    });
    const setUpS = (performance.now() - setUpMs) / 1000;
    await quiet.start();
    await delay(20_000);
    const before = quiet.take();
    const memoryBefore = nodeMemoryMiB(system.process.pid as number);
    const beganMs = Date.now();
    await api.call('POST', '/v1/events', { id: 'b1', type: 'news.all', data: { n: 1 } });
    const isDone = (): boolean => receiver.counts.delivered >= TOTAL;
    const memoryPeak = await peakMiB(system, isDone, beganMs + DONE_MAX_MS);
    const during = quiet.take();
    // Late doubles.
    await delay(2000);
    const { delivered, doubled, lastMs } = receiver.counts;
    return {
      endpoints: TOTAL,
      set_up_s: setUpS,
      delivered,
      doubled,
      done_s: (lastMs - beganMs) / 1000,
      ...quietFigures(quiet, before, during),
      node_mib_before: memoryBefore,
      node_mib_peak: memoryPeak,
    };
  });
}
