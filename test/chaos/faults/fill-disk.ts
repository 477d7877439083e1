import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from '../fault.ts';

const FULL_MS = 8000;
const PROBE_EVERY_MS = 1000;
const PROBES_FAILED = 3;

/**
 * The disk of one broker has no free block for 8 s. After a failed write, nats-server disables
 * JetStream until a restart; its liveness probe restarts it.
 */
export const fillDisk: Fault = {
  name: 'full-disk',
  lastsMs: FULL_MS + PROBES_FAILED * PROBE_EVERY_MS,
  duplicates: 'while_it_lasts',
  needs: ({ system }) => (system.smallDisk === undefined ? 'a mount namespace' : undefined),
  async strike({ system }) {
    if (system.smallDisk === undefined) return;
    const { disk, broker, isHealthy } = system.smallDisk;
    disk.fill();
    await delay(FULL_MS);
    disk.free();
    for (let failed = 0; failed < PROBES_FAILED; failed++) {
      await delay(PROBE_EVERY_MS);
      if (await isHealthy()) return;
    }
    await broker.kill('SIGTERM');
    // Waits until the old process has ended.
    await broker.restart();
  },
};
