/**
 * Brings keys of the configuration up to date, each at most once at a time, and those that are costly not all
 * the time: the whole snapshot of a tenant is one value, so a tenant of thousands of endpoints would otherwise be
 * read and written whole for each of its changes. What is asked for meanwhile is one run, which begins afterwards
 * and so sees every change that was stored before it.
 */
const COSTLY_BYTES = 256 * 1024;
/** After a costly run, a pause of so many times what it took; within a second a change is in force (RT-2). */
const PAUSE_TIMES = 4;
const PAUSE_MS_MAX = 700;

export interface PacedSyncDeps {
  /** Resolves with the bytes of the key's value, 0 where there was nothing to do. */
  sync: (key: string) => Promise<number>;
  /** Monotonic milliseconds. */
  now: () => number;
}

export interface SyncRun {
  /** As `sync` ends it. */
  done: Promise<void>;
  /** It does not begin at once: who has other things to do does them. */
  isPaused: boolean;
}

interface KeyState {
  next: SyncRun | undefined;
  last: Promise<void>;
  isRunning: boolean;
  /** The last run that had something to do was. */
  isCostly: boolean;
  /** Monotonic milliseconds. */
  pauseEndsMs: number;
}

export class PacedSync {
  private readonly deps: PacedSyncDeps;
  private readonly keys = new Map<string, KeyState>();

  constructor(deps: PacedSyncDeps) {
    this.deps = deps;
  }

  /** A run for the key that begins after this call. */
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
    // Behind a costly run there is a pause too.
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
    // Whoever asks from here on may have stored something that this run does not see.
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
