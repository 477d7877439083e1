import type { NatsConnection } from '@nats-io/nats-core';
import type { Clock } from '#domain/clock.ts';
import { limits } from '#domain/limits.ts';
import type { Service } from '#infra/service.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { encodeKeyUses, type KeyUse } from '#wire/key-uses.ts';
import { subjects } from '#wire/subjects.ts';

const REPORT_EVERY_MS = 30_000;
/** A key that is used all the time is reported this often. */
const REPORT_AGAIN_MS = 60_000;
const USES_PER_MESSAGE = 5000;

interface Use {
  lastMs: number;
  /** 0: never. */
  reportedMs: number;
}

/**
 * Remembers when callers were last accepted by this process, and reports it to control in batches:
 * a request writes nothing. A report that is lost is replaced by the next use of the key.
 *
 * Bound: `limits.callersRemembered` callers; the one remembered first is forgotten first.
 */
export class KeyUses implements Service {
  readonly name = 'key-uses';
  private readonly deps: { nc: NatsConnection; clock: Pick<Clock, 'wallMs'>; log: Log };
  private readonly uses = new Map<string, Use>();
  private timer: NodeJS.Timeout | undefined;

  constructor(deps: { nc: NatsConnection; clock: Pick<Clock, 'wallMs'>; log: Log }) {
    this.deps = deps;
  }

  async start(): Promise<void> {
    this.timer ??= setInterval(() => this.report(), REPORT_EVERY_MS);
    this.timer.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.report();
  }

  has(caller: string): boolean {
    return this.uses.has(caller);
  }

  record(caller: string): void {
    const now = this.deps.clock.wallMs();
    const use = this.uses.get(caller);
    if (use !== undefined) {
      use.lastMs = now;
      return;
    }
    this.uses.set(caller, { lastMs: now, reportedMs: 0 });
    const [oldest] = this.uses.keys();
    if (this.uses.size > limits.callersRemembered) this.uses.delete(oldest as string);
  }

  /** Sends the uses of API keys that are news. */
  report(): void {
    const due: KeyUse[] = [];
    for (const [id, use] of this.uses) {
      // Only keys have a document to write to.
      if (!id.startsWith('key_') || use.lastMs - use.reportedMs < REPORT_AGAIN_MS) continue;
      due.push({ id, atMs: use.lastMs });
      use.reportedMs = use.lastMs;
    }
    for (let from = 0; from < due.length; from += USES_PER_MESSAGE) {
      this.send(due.slice(from, from + USES_PER_MESSAGE));
    }
  }

  private send(uses: KeyUse[]): void {
    const { nc, log } = this.deps;
    try {
      nc.publish(subjects.keyUses, encodeKeyUses(uses));
    } catch (error) {
      // The connection is closed: the process stops.
      log.debug({ error: (error as Error).message }, 'key_uses.not_sent');
    }
  }
}
