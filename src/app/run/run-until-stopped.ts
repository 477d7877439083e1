import type { Log } from '#infra/telemetry/log.ts';

/** Exit codes of sysexits.h. */
export const exitCodes = { ok: 0, unavailable: 69, bug: 70, config: 78 } as const;

// A Ctrl-C under npm comes twice: from the terminal, and once more from npm, which passes it on.
const SAME_SIGNAL_MS = 500;

/** What a process runs. */
export interface Running {
  /** Finish what is in flight and end. */
  stop(): Promise<void>;
  /** Ends or rejects when the process cannot go on. */
  done: Promise<unknown>;
}

export interface StopSignals {
  /** Raised by the first SIGTERM, SIGINT or SIGHUP, and when the parent has gone. */
  stopping: AbortSignal;
  /** Raised right before the process ends without waiting: by a second signal, or past the deadline. */
  killing: AbortSignal;
}

export interface RunDeps {
  /** Comes up; if `stopping` is raised meanwhile, it cleans up and gives something that is done. */
  begin: (signals: StopSignals) => Promise<Running>;
  /** How long `stop` may take. */
  stopDeadlineMs: number;
  log: Log;
  process: Pick<NodeJS.Process, 'on' | 'exit'>;
  /** Calls its argument once if the process that this one belongs to has ended. */
  follow?: (onGone: () => void) => void;
}

/**
 * Runs until it is done or stopped by a signal. A second signal ends the process at once. A child whose parent
 * has gone stops as if by a signal.
 *
 * @returns the exit code
 * @throws what `begin` throws, and the bug that ended it
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
      if (performance.now() - firstMs > SAME_SIGNAL_MS) endNow(code);
      return;
    }
    firstMs = performance.now();
    stopping.abort();
    limitStop();
  };
  deps.process.on('SIGINT', () => onSignal(130));
  deps.process.on('SIGTERM', () => onSignal(143));
  deps.process.on('SIGHUP', () => onSignal(129));
  deps.process.on('disconnect', () => onSignal(exitCodes.bug));
  deps.follow?.(() => {
    // A terminal that closes ends npm and signals this process too: that is one request to stop.
    if (!stopping.signal.aborted) onSignal(exitCodes.bug);
  });
  const stopped = new Promise<void>((resolve) => {
    stopping.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  const running = await deps.begin({ stopping: stopping.signal, killing: killing.signal });
  await Promise.race([running.done, stopped]);
  // What ends unasked is to be started again.
  const code = stopping.signal.aborted ? exitCodes.ok : exitCodes.bug;
  // Whatever ended it may be what the stop waits for too.
  if (code === exitCodes.bug) limitStop();
  await running.stop();
  return code;
}
