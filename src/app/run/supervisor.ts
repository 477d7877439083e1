import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '#domain/clock.ts';
import { Backoff } from '#domain/contention/backoff.ts';
import type { ServerExit } from '#src/embedded/server-process.ts';
import type { Log } from '#infra/telemetry/log.ts';

/** A supervised process. */
export interface Supervised {
  readonly pid: number;
  onExit(listener: (exit: ServerExit) => void): void;
  stop(deadlineMs?: number): Promise<void>;
  kill(signal: NodeJS.Signals): Promise<void>;
  /** A fault that only a restart can clear; undefined if there is none. */
  fault?(): Promise<string | undefined>;
}

export interface SupervisorOptions {
  /** Name for the log. */
  name: string;
  /** Starts the process; rejects if the start fails. */
  spawn: () => Promise<Supervised>;
  clock: Clock;
  log: Log;
  backoffMsMin?: number;
  backoffMsMax?: number;
  /** A process that lived this long was healthy: its next restart is immediate again. */
  healthyMs?: number;
  /** The exit code that stops restarts (78: the configuration is wrong). */
  hopelessCode?: number;
  /** Interval of the fault checks, in milliseconds. */
  watchEveryMs?: number;
  /** Interval of the log lines during a slow start, in milliseconds. */
  sayEveryMs?: number;
}

/** End the process after this many faults in a row: a single one may clear by itself. */
const FAULTS_MAX = 3;

/**
 * Keeps one process running. Restarts it when it ends without a stop request: after 100 ms,
 * doubling to 5 s until it lives for 30 s. Ends and restarts a process that reports a fault three
 * times in a row.
 */
export class Supervisor {
  readonly name: string;
  /** Rejects when a restart cannot help; never resolves. */
  readonly hopeless: Promise<never>;
  private readonly options: Required<SupervisorOptions>;
  private readonly stopping = new AbortController();
  private current: Supervised | undefined;
  private restarting: Promise<void> = Promise.resolve();
  private readonly backoff: Backoff;
  private fail: (error: Error) => void = () => undefined;

  constructor(options: SupervisorOptions) {
    this.name = options.name;
    this.options = {
      backoffMsMin: 100,
      backoffMsMax: 5000,
      healthyMs: 30_000,
      hopelessCode: 78,
      watchEveryMs: 2000,
      sayEveryMs: 10_000,
      ...options,
    };
    const { backoffMsMin: firstMs, backoffMsMax: maxMs } = this.options;
    this.backoff = new Backoff({ firstMs, maxMs });
    this.hopeless = new Promise((_resolve, reject) => {
      this.fail = reject;
    });
    // The rejection may go unobserved.
    this.hopeless.catch(() => undefined);
  }

  /** Undefined between an exit and the restart. */
  get pid(): number | undefined {
    return this.current?.pid;
  }

  /** Starts the process for the first time; its errors go to the caller. */
  start(): Promise<void> {
    const first = this.spawn();
    // A stop during the start waits for the start, then ends the process.
    this.restarting = first.catch(() => undefined);
    return first;
  }

  /** Ends the process and stops restarting it. May be called twice. */
  async stop(deadlineMs?: number): Promise<void> {
    this.stopping.abort();
    await this.restarting;
    await this.current?.stop(deadlineMs);
  }

  /** Kills the process immediately and stops restarting it. */
  kill(): void {
    this.stopping.abort();
    void this.current?.kill('SIGKILL');
  }

  private async spawn(): Promise<void> {
    const beganMs = this.options.clock.monotonicMs();
    const process = await this.comeUp(beganMs);
    this.current = process;
    const startedMs = this.options.clock.monotonicMs();
    const tookMs = Math.round(startedMs - beganMs);
    this.options.log.debug(
      { process: this.name, pid: process.pid, took_ms: tookMs },
      'process.started',
    );
    void this.watch(process);
    process.onExit((exit) => {
      this.current = undefined;
      if (this.stopping.signal.aborted) return;
      const facts = { process: this.name, pid: process.pid, code: exit.code, signal: exit.signal };
      if (exit.code === this.options.hopelessCode) {
        this.fail(new Error(`${this.name} ended with exit code ${exit.code}`));
        return;
      }
      if (this.options.clock.monotonicMs() - startedMs >= this.options.healthyMs)
        this.backoff.reset();
      this.options.log.error({ ...facts, restart_in_ms: this.backoff.peekMs }, 'process.ended');
      this.restarting = this.restart();
    });
  }

  /** A server with much data to recover starts slowly: log that it is still starting. */
  private async comeUp(beganMs: number): Promise<Supervised> {
    const saying = setInterval(() => {
      const waitedMs = Math.round(this.options.clock.monotonicMs() - beganMs);
      this.options.log.warn({ process: this.name, waited_ms: waitedMs }, 'process.still_starting');
    }, this.options.sayEveryMs);
    try {
      return await this.options.spawn();
    } finally {
      clearInterval(saying);
    }
  }

  private async watch(process: Supervised): Promise<void> {
    if (process.fault === undefined) return;
    const { signal } = this.stopping;
    let faults = 0;
    while (faults < FAULTS_MAX) {
      await delay(this.options.watchEveryMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted || this.current !== process) return;
      const fault = await process.fault();
      faults = fault === undefined ? 0 : faults + 1;
      if (fault !== undefined) {
        this.options.log.error({ process: this.name, error: fault }, 'process.faulty');
      }
    }
    if (!signal.aborted && this.current === process) await process.stop();
  }

  private async restart(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      try {
        await delay(this.backoff.next(), undefined, { signal: this.stopping.signal });
        await this.spawn();
        this.options.log.warn({ process: this.name, pid: this.pid }, 'process.restarted');
        return;
      } catch (error) {
        if (this.stopping.signal.aborted) return;
        const message = (error as Error).message;
        this.options.log.error({ process: this.name, error: message }, 'process.restart_failed');
      }
    }
  }
}
