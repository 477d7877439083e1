import type { Clock } from '#domain/clock.ts';
import type { Log } from '#infra/telemetry/log.ts';

/** Exit codes of sysexits.h. */
export const exitCodes = { ok: 0, unavailable: 69, bug: 70, config: 78 } as const;

// Under npm, one Ctrl-C arrives twice: from the terminal, and again from npm, which forwards it.
const SAME_SIGNAL_MS = 500;

/** The running part of a process. */
export interface Running {
  /** Finishes in-flight work and stops. */
  stop(): Promise<void>;
  /** Resolves or rejects when the process has to end. */
  done: Promise<unknown>;
}

export interface StopSignals {
  /** Raised by the first SIGTERM, SIGINT or SIGHUP, and when the parent has ended. */
  stopping: AbortSignal;
  /**
   * Raised right before the process ends without waiting: by a second signal, or at the deadline.
   */
  killing: AbortSignal;
}

export interface RunDeps {
  /**
   * Starts the process. If `stopping` is raised during the start, cleans up and returns a `Running`
   * that is done.
   */
  begin: (signals: StopSignals) => Promise<Running>;
  /** Longest time that `stop` may take, in milliseconds. */
  stopDeadlineMs: number;
  clock: Clock;
  log: Log;
  process: Pick<NodeJS.Process, 'on' | 'exit'>;
  /** Calls its argument once when the parent process has ended. */
  follow?: (onGone: () => void) => void;
}

/**
 * Runs until the work is done or a signal stops it. A second signal ends the process immediately. A
 * child whose parent has ended stops as if by a signal.
 *
 * @returns the exit code
 * @throws the error of `begin`, or the bug that ended the process
 */
export async function runUntilStopped(deps: RunDeps): Promise<number> {
  const stopping = new AbortController();
  const killing = new AbortController();
  const endNow = (code: number) => {
    killing.abort();
    deps.process.exit(code);
  };
  const limitStop = () => {
    const timer = setTimeout(() => {
      deps.log.error({ deadline_ms: deps.stopDeadlineMs }, 'process.stop_deadline_passed');
      endNow(exitCodes.bug);
    }, deps.stopDeadlineMs);
    timer.unref();
  };
  let firstMs = 0;
  const onSignal = (code: number) => {
    if (stopping.signal.aborted) {
      if (deps.clock.monotonicMs() - firstMs > SAME_SIGNAL_MS) endNow(code);
      return;
    }
    firstMs = deps.clock.monotonicMs();
    stopping.abort();
    limitStop();
  };
  deps.process.on('SIGINT', () => onSignal(130));
  deps.process.on('SIGTERM', () => onSignal(143));
  deps.process.on('SIGHUP', () => onSignal(129));
  deps.process.on('disconnect', () => onSignal(exitCodes.bug));
  deps.follow?.(() => {
    // A closing terminal ends npm and also signals this process: treat both as one request to stop.
    if (!stopping.signal.aborted) onSignal(exitCodes.bug);
  });
  const stopped = new Promise<void>((resolve) => {
    stopping.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  const running = await deps.begin({ stopping: stopping.signal, killing: killing.signal });
  await Promise.race([running.done, stopped]);
  // A process that ends without a stop request must be restarted, so its exit code is not 0.
  const code = stopping.signal.aborted ? exitCodes.ok : exitCodes.bug;
  // `stop` may hang on the same fault that ended the process, so limit it.
  if (code === exitCodes.bug) limitStop();
  await running.stop();
  return code;
}
