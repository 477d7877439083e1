/** The system under test: a new or an existing one. */
import { setTimeout as delay } from 'node:timers/promises';
import { KEY, startSystem, stopSystem } from '../../../bench/system.ts';
import { childrenOf } from './platform-sampler.ts';
import type { Restarts } from './restarts.ts';
import { TwoOfEach } from './two-of-each.ts';

/** The time after which the scenario `broker-kill` kills the broker. */
const KILL_AFTER_MS = 20_000;

export interface Target {
  /** URL for publishing. */
  url: string;
  /** URL for creating tenants. */
  controlUrl: string;
  key: string;
  /** Of `posthorn start`, whose children are the platform. */
  pid?: number;
  /** Disturbs the system under load, until `signal` is aborted. */
  disturb?: (signal: AbortSignal) => Promise<void>;
  restarts?: Restarts;
  /** Ends the processes that were started. */
  stop(): Promise<void>;
}

/** An existing system. */
export function targetAt(url: string, key: string): Target {
  return { url, controlUrl: url, key, stop: async () => undefined };
}

/**
 * Starts the target of a scenario on this machine.
 *
 * @param delivered the number of deliveries so far
 */
export function startTarget(
  scenario: string,
  dataDir: string,
  delivered: () => number,
): Promise<Target> {
  return scenario === 'rolling-restart' ? twoOfEach(delivered) : oneOfAll(scenario, dataDir);
}

async function oneOfAll(scenario: string, dataDir: string): Promise<Target> {
  const system = await startSystem(dataDir);
  const pid = system.process.pid as number;
  return {
    url: system.base,
    controlUrl: system.base,
    key: KEY,
    pid,
    ...(scenario === 'broker-kill' ? { disturb: (signal) => killBroker(pid, signal) } : {}),
    stop: () => stopSystem(system),
  };
}

async function twoOfEach(delivered: () => number): Promise<Target> {
  const system = await TwoOfEach.start(delivered);
  return {
    url: system.url,
    controlUrl: system.controlUrl,
    key: system.key,
    disturb: (signal) => system.roll(signal),
    restarts: { done: system.restarts, due: system.size },
    stop: () => system.stop(),
  };
}

/** Kills the embedded broker: the system restarts it by itself. */
async function killBroker(pid: number, signal: AbortSignal): Promise<void> {
  await delay(KILL_AFTER_MS);
  if (signal.aborted) return;
  for (const broker of childrenOf(pid, 'nats-server')) process.kill(broker, 'SIGKILL');
}
