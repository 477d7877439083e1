/**
 * Claims documents that describe work, and works on each for a turn. A failed turn is tried again
 * after a second, by this process or another.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type Claimed, LeaseLost, type WorkLeases } from '#infra/mongo/replays/work-leases.ts';
import type { WorkLease } from '#infra/mongo/replays/replay-store.ts';
import { pause } from '#infra/retry.ts';
import type { Service } from '#infra/service.ts';
import type { Log } from '#infra/telemetry/log.ts';

const LOOK_EVERY_MS = 2000;
const AFTER_FAILURE_MS = 1000;

export interface WorkLoopDeps<T extends WorkLease & { _id: string }> {
  name: string;
  leases: Pick<WorkLeases<T>, 'claim'>;
  work: (claimed: Claimed<T>, signal: AbortSignal) => Promise<void>;
  /** Documents that are worked on at the same time. */
  concurrency: number;
  log: Log;
}

export class WorkLoop<T extends WorkLease & { _id: string }> implements Service {
  readonly name: string;
  private readonly deps: WorkLoopDeps<T>;
  private readonly stopping = new AbortController();
  private requested = new AbortController();
  private running: Promise<unknown> = Promise.resolve();

  constructor(deps: WorkLoopDeps<T>) {
    this.name = deps.name;
    this.deps = deps;
  }

  async start(): Promise<void> {
    const loops = Array.from({ length: this.deps.concurrency }, () => this.run());
    this.running = Promise.all(loops);
  }

  /** Looks for work now. */
  wake(): void {
    this.requested.abort();
    this.requested = new AbortController();
  }

  async stop(deadlineMs: number): Promise<void> {
    this.stopping.abort();
    this.wake();
    await Promise.race([this.running, delay(deadlineMs, undefined, { ref: false })]);
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      const { signal: requested } = this.requested;
      if (!(await this.turn(signal)) && !signal.aborted) await pause(LOOK_EVERY_MS, requested);
    }
  }

  /** Returns whether there was work. */
  private async turn(signal: AbortSignal): Promise<boolean> {
    const { leases, work, log, name } = this.deps;
    let claimed: Claimed<T> | undefined;
    let id: string | undefined;
    try {
      claimed = await leases.claim();
      if (claimed === undefined) return false;
      id = claimed.document._id;
      const stop = claimed.lease.keepAlive();
      await work(claimed, signal).finally(stop);
    } catch (error) {
      if (signal.aborted) return true;
      if (error instanceof LeaseLost) log.info({ id, loop: name }, 'work.handed_on');
      else log.warn({ id, loop: name, error: (error as Error).message }, 'work.failed');
      await pause(AFTER_FAILURE_MS, signal);
    } finally {
      await claimed?.lease.release().catch(() => undefined);
    }
    return true;
  }
}
