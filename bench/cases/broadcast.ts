/** One broadcast to 100,000 endpoints of 1,000 tenants while quiet tenants publish. */
import { setTimeout as delay } from 'node:timers/promises';
import { nodeMemoryMiB, type System } from '../system.ts';
import { Api, inParallel } from './api.ts';
import { QuietLoad, percentile } from './quiet-load.ts';
import { ReceiverProcess } from './receiver-process.ts';

const TENANTS = 1000;
const ENDPOINTS = 100;
const TOTAL = TENANTS * ENDPOINTS;
const DONE_MAX_MS = 900_000;

export async function broadcast(system: System): Promise<Record<string, unknown>> {
  const api = new Api(system);
  const receiver = new ReceiverProcess();
  const quiet = new QuietLoad(new Api(system), 50);
  const pid = system.process.pid as number;
  try {
    const port = await receiver.start();
    receiver.takeFrom(0);
    const setUpMs = performance.now();
    await inParallel(TENANTS, 16, async (t) => {
      await api.call('PUT', `/v1/tenants/cast-${t}`, { name: `cast ${t}` });
      for (let e = 0; e < ENDPOINTS; e++) {
        const url = `http://127.0.0.1:${port}/${t}/${e}`;
        const event_types = ['news.*'];
        await api.call('POST', `/v1/tenants/cast-${t}/endpoints`, { url, event_types });
      }
    });
    const setUpS = (performance.now() - setUpMs) / 1000;
    await quiet.start();
    await delay(20_000);
    const before = quiet.take();
    const memoryBefore = nodeMemoryMiB(pid);
    const beganMs = Date.now();
    await api.call('POST', '/v1/events', { id: 'b1', type: 'news.all', data: { n: 1 } });
    let memoryPeak = 0;
    while (receiver.counts.delivered < TOTAL && Date.now() < beganMs + DONE_MAX_MS) {
      await delay(500);
      memoryPeak = Math.max(memoryPeak, nodeMemoryMiB(pid));
    }
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
      quiet_p50_p95_before_ms: [percentile(before, 0.5), percentile(before, 0.95)],
      quiet_p50_p95_during_ms: [percentile(during, 0.5), percentile(during, 0.95)],
      quiet_missing: quiet.missing,
      quiet_refused: quiet.refused,
      node_mib_before: memoryBefore,
      node_mib_peak: memoryPeak,
    };
  } finally {
    quiet.close();
    receiver.stop();
    await api.close();
  }
}
