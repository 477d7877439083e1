/**
 * A replay of many delivered events at 1,000 a second, during the steady events of quiet tenants:
 * the memory of Node, the latency of the quiet tenants, and whether each event came exactly once
 * more.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { nodeMemoryMiB, type System } from '../system.ts';
import { inParallel } from './api.ts';
import { besideQuiet, peakMiB, quietFigures } from './beside-quiet.ts';

const BATCH = 500;
const PER_SECOND = 1000;
const DRAIN_MAX_MS = 600_000;
const TENANT = '/v1/tenants/replayed';

interface Plan {
  id: string;
  status: string;
  count: number;
}

interface Replay {
  id: string;
  status: string;
  results: { reason: string; count: number }[];
}

/** @param total number of events, a multiple of 500 */
export function replay(system: System, total: number): Promise<Record<string, unknown>> {
  const pid = system.process.pid as number;
  return besideQuiet(system, async ({ api, receiver, receiverUrl, quiet }) => {
    receiver.takeFrom(0);
    await api.call('PUT', TENANT, { name: 'replayed' });
    await api.call('POST', `${TENANT}/endpoints`, { url: receiverUrl });
    await inParallel(total / BATCH, 4, () => {
      const events = Array.from({ length: BATCH }, (_, n) => ({
        type: 'replay.thing',
        data: { n, pad: 'x'.repeat(450) },
      }));
      return api.call('POST', `${TENANT}/events/batch`, { events });
    });
    const untilMs = Date.now() + DRAIN_MAX_MS;
    while (receiver.counts.delivered < total && Date.now() < untilMs) await delay(200);
    await delay(5000);
    await quiet.start();
    await delay(20_000);
    const before = quiet.take();
    const memoryBefore = nodeMemoryMiB(pid);
    const planStartedMs = Date.now();
    const filter = { event_type: 'replay.thing' };
    const request = { action: 'replay', kind: 'range', filter, per_second: PER_SECOND };
    let plan = await api.call<Plan>('POST', `${TENANT}/plans`, request);
    while (plan.status === 'counting') {
      await delay(100);
      plan = await api.call<Plan>('GET', `${TENANT}/plans/${plan.id}`);
    }
    const countedMs = Date.now() - planStartedMs;
    const startedMs = Date.now();
    let job = await api.call<Replay>('POST', `${TENANT}/replays`, { plan_id: plan.id });
    const isDone = (): boolean => receiver.counts.doubled >= plan.count;
    const memoryPeak = await peakMiB(system, isDone, startedMs + DRAIN_MAX_MS);
    const during = quiet.take();
    while (job.status === 'running') {
      await delay(200);
      job = await api.call<Replay>('GET', `${TENANT}/replays/${job.id}`);
    }
    return {
      events: total,
      planned: plan.count,
      counted_in_s: countedMs / 1000,
      results: job.results,
      arrived_again: receiver.counts.doubled,
      replayed_in_s: (receiver.counts.lastMs - startedMs) / 1000,
      ...quietFigures(quiet, before, during),
      node_mib_before: memoryBefore,
      node_mib_peak: memoryPeak,
    };
  });
}
