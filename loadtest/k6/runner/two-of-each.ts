/**
 * Posthorn with two processes of each role, its own servers, and a balancer in front of ingress and
 * control. The scenario `rolling-restart` restarts one process after the other.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Role } from '#config/schema.ts';
import type { ServerExit } from '#src/embedded/server-process.ts';
import {
  type System,
  type SystemProcess,
  TEST_KEY,
  startSystem,
} from '../../../test/kit/system.ts';
import { Balancer } from './balancer.ts';
import type { Restart } from './restarts.ts';

const ROLES = ['ingress', 'router', 'delivery', 'control'] as const satisfies Role[];
/** Time from leaving the balancer to SIGTERM: in a cluster the pod's `preStop`. */
const PRE_STOP_MS = 2000;
const PROBE_TIMEOUT_MS = 2000;
/** A process ends by itself before that (`POSTHORN_SHUTDOWN_DEADLINE_MS`). */
const STOP_MAX_MS = 30_000;
/** Stop the next process only after the previous one has resumed its part. */
const SETTLE_MS = 3000;
const LOOK_EVERY_MS = 100;

export class TwoOfEach {
  readonly key = TEST_KEY;
  readonly restarts: Restart[] = [];
  private readonly system: System;
  private readonly ingress: Balancer;
  private readonly control: Balancer;
  private readonly ending: Set<SystemProcess>;
  private readonly delivered: () => number;

  private constructor(
    system: System,
    ending: Set<SystemProcess>,
    delivered: () => number,
    balancers: readonly [ingress: Balancer, control: Balancer],
  ) {
    this.system = system;
    this.ending = ending;
    this.delivered = delivered;
    [this.ingress, this.control] = balancers;
  }

  /** @param delivered the number of deliveries so far */
  static async start(delivered: () => number): Promise<TwoOfEach> {
    const system = await startSystem(
      ROLES.flatMap((role) => [[role], [role]]),
      { POSTHORN_LOG_LEVEL: 'warn' },
    );
    const ending = new Set<SystemProcess>();
    const before = (role: Role) => {
      const processes = system.processes.filter(({ roles }) => roles.includes(role));
      return Balancer.start(
        processes.map((process) => ({
          port: process.httpPort,
          isReady: () => isReady(process),
          isEnding: () => ending.has(process),
        })),
      );
    };
    const balancers = [await before('ingress'), await before('control')] as const;
    return new TwoOfEach(system, ending, delivered, balancers);
  }

  /** URL for publishing. */
  get url(): string {
    return this.ingress.url;
  }

  get controlUrl(): string {
    return this.control.url;
  }

  /** The number of restarts in a whole round. */
  get size(): number {
    return this.system.processes.length;
  }

  /**
   * Restarts each process once, one after the other, until `signal` is aborted. Begins at the first
   * delivery.
   */
  async roll(signal: AbortSignal): Promise<void> {
    while (this.delivered() === 0 && !signal.aborted) await delay(LOOK_EVERY_MS);
    for (const process of this.system.processes) {
      await delay(SETTLE_MS);
      if (signal.aborted) return;
      this.restarts.push(await this.restart(process));
    }
  }

  async stop(): Promise<void> {
    await Promise.all([this.ingress.close(), this.control.close()]);
    await this.system.stop();
  }

  private async restart(process: SystemProcess): Promise<Restart> {
    this.ending.add(process);
    await delay(PRE_STOP_MS);
    const deliveredBefore = this.delivered();
    const exit = new Promise<ServerExit>((ended) => process.process.onExit(ended));
    const beganMs = performance.now();
    await process.process.stop(STOP_MAX_MS);
    const { code } = await exit;
    const endedMs = performance.now();
    await process.restart();
    this.ending.delete(process);
    return {
      role: process.roles[0] as Role,
      exitCode: code,
      stopMs: endedMs - beganMs,
      startMs: performance.now() - endedMs,
      delivered: this.delivered() - deliveredBefore,
    };
  }
}

async function isReady({ opsUrl }: SystemProcess): Promise<boolean> {
  return (await fetch(`${opsUrl}/readyz`, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) })).ok;
}
