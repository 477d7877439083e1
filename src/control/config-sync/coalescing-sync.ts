/**
 * Brings keys of the configuration up to date: each key at most once at a time, and costly keys
 * with pauses. The whole snapshot of a tenant is one value. Without pauses, a tenant with thousands
 * of endpoints would be read and written as a whole for each of its changes.
 * All requests during a run share one later run, which therefore sees every change that was stored
 * before it starts.
 */
const COSTLY_BYTES = 256 * 1024;
/**
 * Length of the pause after a costly run, as a multiple of the run. A change is still in force
 * within a second (RT-2).
 */
const PAUSE_TIMES = 4;
const PAUSE_MS_MAX = 700;

export interface CoalescingSyncDeps {
  /** Resolves with the size of the key's value in bytes; 0 if there was nothing to do. */
  sync: (key: string) => Promise<number>;
  /** Monotonic milliseconds. */
  now: () => number;
}

export interface SyncRun {
  /** Settles with `sync`. */
  done: Promise<void>;
  /** The run starts only after a pause, so callers with other work do that first. */
  isPaused: boolean;
}

interface KeyState {
  next: SyncRun | undefined;
  last: Promise<void>;
  isRunning: boolean;
  /** The last run that wrote something was costly. */
  isCostly: boolean;
  /** Monotonic milliseconds. */
  pauseEndsMs: number;
}

export class CoalescingSync {
  private readonly deps: CoalescingSyncDeps;
  private readonly keys = new Map<string, KeyState>();

  constructor(deps: CoalescingSyncDeps) {
    this.deps = deps;
  }

  /** Requests a run for the key that begins after this call. */
  run(key: string): SyncRun {
    const state = this.keys.get(key) ?? {
      next: undefined,
      last: Promise.resolve(),
      isRunning: false,
      isCostly: false,
      pauseEndsMs: 0,
    };
    this.keys.set(key, state);
    if (state.next !== undefined) return state.next;
    // A pause also follows the costly run that is in progress.
    const isPaused = (state.isRunning && state.isCostly) || state.pauseEndsMs > this.deps.now();
    const before = state.last;
    const done = this.runAfter(before, key, state);
    state.last = done.catch(() => undefined);
    state.next = { done, isPaused };
    return state.next;
  }

  private async runAfter(before: Promise<void>, key: string, state: KeyState): Promise<void> {
    await before;
    const pauseMs = state.pauseEndsMs - this.deps.now();
    if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    // A later caller may have stored a change that this run does not see, so it gets the next run.
    state.next = undefined;
    state.isRunning = true;
    const beganMs = this.deps.now();
    let bytes = 0;
    try {
      bytes = await this.deps.sync(key);
    } finally {
      const nowMs = this.deps.now();
      state.isRunning = false;
      if (bytes > 0) state.isCostly = bytes > COSTLY_BYTES;
      if (bytes > COSTLY_BYTES) {
        state.pauseEndsMs = nowMs + Math.min((nowMs - beganMs) * PAUSE_TIMES, PAUSE_MS_MAX);
      } else if (state.next === undefined && state.pauseEndsMs <= nowMs) {
        this.keys.delete(key);
      }
    }
  }
}
