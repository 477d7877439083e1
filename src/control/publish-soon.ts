import type { Log } from '#infra/telemetry/log.ts';

const WAIT_MS_MAX = 1000;

export interface PublishSoonDeps {
  sync: (key: string) => Promise<void>;
  log: Log;
}

/**
 * Has a changed key published before the change is answered, so that the caller may rely on it at once; waits
 * for at most a second. A change that could not be published is stored all the same, and the sync, which
 * follows MongoDB, publishes it as soon as that can be done.
 */
export class PublishSoon {
  private readonly deps: PublishSoonDeps;

  constructor(deps: PublishSoonDeps) {
    this.deps = deps;
  }

  /** Never throws. */
  async publish(key: string): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), WAIT_MS_MAX);
    });
    const published = this.deps.sync(key).catch((error: unknown) => error as Error);
    const result = await Promise.race([published, late]);
    clearTimeout(timer);
    if (result !== undefined) {
      const error = result === 'late' ? 'not within a second' : result.message;
      this.deps.log.warn({ key, error }, 'config.publish_left_to_sync');
    }
  }
}
