/**
 * Follows a KV bucket for ever: all that is in it, then every change.
 *
 * A round begins with `onBegin`, gives each entry that is there, calls `onKnown`, and then gives the changes. It
 * ends, and the next begins, where the watch breaks, and where the bucket was deleted or made anew: the client's own
 * watch says nothing then and hears nothing any more, so the bucket's time of creation is looked at from time to
 * time. While the bucket is away nothing is called: what was known stays in force (RT-8).
 */
import type { KV, KvWatchEntry } from '@nats-io/kv';
import type { Log } from '#infra/telemetry/log.ts';
import { apiErrorCode, apiErrors } from './api-errors.ts';

const AGAIN_AFTER_MS = 1000;
const LOOK_EVERY_MS = 5000;

export interface BucketWatchDeps {
  open: () => Promise<KV>;
  log: Log;
  /** The stable name of the log line of a watch that broke. */
  failed: string;
  /** A round begins: what follows is all there is. `anew`: the bucket is another one than before. */
  onBegin: (kv: KV, anew: boolean) => void;
  onEntry: (entry: KvWatchEntry) => void;
  /** All that was there when the round began has been given. */
  onKnown: () => void;
}

export class BucketWatch {
  private readonly deps: BucketWatchDeps;
  private stopping = false;
  private made: string | undefined;
  private endRound: () => void = () => {};
  private wake: () => void = () => {};

  constructor(deps: BucketWatchDeps) {
    this.deps = deps;
  }

  /** Resolves when the state of the bucket at this moment is known; goes on until `stop`. */
  start(): Promise<void> {
    return new Promise((resolve) => void this.run(resolve));
  }

  stop(): void {
    this.stopping = true;
    this.endRound();
    this.wake();
  }

  private async run(known: () => void): Promise<void> {
    while (!this.stopping) {
      try {
        await this.round(known);
      } catch (error) {
        this.deps.log.warn({ error: (error as Error).message }, this.deps.failed);
      }
      if (!this.stopping) await this.pause();
    }
  }

  private async round(known: () => void): Promise<void> {
    const kv = await this.deps.open();
    const made = await creationOf(kv);
    const empty = (await kv.status()).values === 0;
    const entries = await kv.watch();
    this.endRound = () => entries.stop();
    if (this.stopping) entries.stop();
    const timer = setInterval(() => void this.lookAt(kv, made), LOOK_EVERY_MS);
    timer.unref();
    const allKnown = (): void => {
      this.deps.onKnown();
      known();
    };
    try {
      this.deps.onBegin(kv, this.made !== undefined && this.made !== made);
      this.made = made;
      if (empty) allKnown();
      let left = !empty;
      for await (const entry of entries) {
        this.deps.onEntry(entry);
        if (left && entry.delta === 0) {
          left = false;
          allKnown();
        }
      }
    } finally {
      clearInterval(timer);
    }
  }

  private async lookAt(kv: KV, made: string): Promise<void> {
    try {
      if ((await creationOf(kv)) === made) return;
    } catch (error) {
      // NATS does not answer: that says nothing of the bucket.
      if (apiErrorCode(error) !== apiErrors.streamNotFound) return;
    }
    this.endRound();
  }

  private async pause(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, AGAIN_AFTER_MS);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

async function creationOf(kv: KV): Promise<string> {
  return (await kv.status()).streamInfo.created;
}
