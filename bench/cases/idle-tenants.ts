/**
 * The cost of idle tenants: memory and CPU of the system with none and with 20,000, after a
 * restart.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { nodeMemoryMiB, startSystem, stopSystem } from '../system.ts';
import { Api } from './api.ts';
import { makeTenants } from './make-tenants.ts';

const TENANTS = 20_000;
const SETTLE_MS = 10_000;
const WATCH_MS = 20_000;
const TICKS_PER_S = 100;

export async function idleTenants(dataDir: string): Promise<Record<string, unknown>> {
  let system = await startSystem(dataDir);
  try {
    const none = await rest(system.process.pid as number);
    const api = new Api(system);
    const url = 'http://127.0.0.1:9';
    await makeTenants(api, { prefix: 'idle', tenants: TENANTS, endpoints: 1, atOnce: 16, url });
    await api.close();
    await stopSystem(system);
    const beganMs = performance.now();
    system = await startSystem(dataDir);
    const startS = (performance.now() - beganMs) / 1000;
    const many = await rest(system.process.pid as number);
    return { tenants: TENANTS, with_none: none, with_all: many, restart_s: startS };
  } finally {
    await stopSystem(system);
  }
}

async function rest(pid: number): Promise<{ node_mib: number; cores: number }> {
  await delay(SETTLE_MS);
  const before = cpuSeconds(pid);
  await delay(WATCH_MS);
  const cores = (cpuSeconds(pid) - before) / (WATCH_MS / 1000);
  return { node_mib: nodeMemoryMiB(pid), cores: Math.round(cores * 1000) / 1000 };
}

/** Of a process and its children, servers included. */
function cpuSeconds(pid: number): number {
  let ticks = 0;
  for (const entry of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (Number(entry) !== pid && Number(fields[1]) !== pid) continue;
      ticks += Number(fields[11]) + Number(fields[12]);
    } catch {
      // The process has ended.
    }
  }
  return ticks / TICKS_PER_S;
}
