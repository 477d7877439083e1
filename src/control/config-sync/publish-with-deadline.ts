import type { Log } from '#infra/telemetry/log.ts';
import type { SyncRun } from './coalescing-sync.ts';

const WAIT_MS_MAX = 1000;

export interface PublishWithDeadlineDeps {
  run: (key: string) => SyncRun;
  log: Log;
}

/**
 * Publishes a changed key before the change is answered, so that the caller can rely on it
 * immediately; waits for at most a second. If publishing fails, the change stays stored, and the
 * sync, which follows MongoDB, publishes it as soon as possible. Does not wait for a run that has
 * to pause first.
 */
export class PublishWithDeadline {
  private readonly deps: PublishWithDeadlineDeps;

  constructor(deps: PublishWithDeadlineDeps) {
    this.deps = deps;
  }

  /** Never throws. */
  async publish(key: string): Promise<void> {
    const { done, isPaused } = this.deps.run(key);
    const published = done.catch((error: unknown) => error as Error);
    if (isPaused) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), WAIT_MS_MAX);
    });
    const result = await Promise.race([published, late]);
    clearTimeout(timer);
    if (result !== undefined) {
      const error = result === 'late' ? 'not within a second' : result.message;
      this.deps.log.warn({ key, error }, 'config.publish_left_to_sync');
    }
  }
}
