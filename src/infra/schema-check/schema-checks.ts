/**
 * Checks data against schemas off the event loop. The tenant with the least thread time is checked
 * next, by start-time fair queueing (Goyal, Vin and Cheng, 1996). A tenant whose checks take long
 * delays its own events; it delays those of others by the check that runs. Nothing is stored before
 * its check has passed.
 *
 * State: the data of waiting checks, which their requests hold in memory anyway. Bounds:
 * `limits.schemaCheckBytesMax` for all of them, of which each tenant has a share, and
 * `limits.schemaCheckWaitMsMax` for each. A crash loses checks, and their callers get no answer.
 */
import { ByteBudget } from '#domain/bounds/byte-budget.ts';
import { type FieldError, PosthornError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import type { CheckThread } from './check-thread.ts';

/** A tenant without recent checks goes before tenants of the same start that had some. */
const IDLE_HEAD_START_MS = 1;

interface Check {
  schema: string;
  data: Buffer | string;
  sinceMs: number;
  resolve: (faults: FieldError[]) => void;
  reject: (error: unknown) => void;
}

export interface SchemaChecksDeps {
  thread: Pick<CheckThread, 'check'>;
  /** Milliseconds of a clock that only moves forward. */
  now: () => number;
}

export class SchemaChecks {
  private readonly deps: SchemaChecksDeps;
  private readonly budget = new ByteBudget(limits.schemaCheckBytesMax);
  private readonly queues = new Map<string, Check[]>();
  /** When the next check of a tenant with recent checks starts, in virtual time. */
  private readonly starts = new Map<string, number>();
  /** Milliseconds: the virtual start of the latest check. */
  private virtualMs = 0;
  private isWorking = false;

  constructor(deps: SchemaChecksDeps) {
    this.deps = deps;
  }

  /**
   * Returns the faults of `data`; pointers start with `/data`.
   *
   * @param owner the tenant
   * @param schema a JSON Schema as JSON
   * @param data its JSON text
   * @throws PosthornError POSTHORN_OVERLOADED, POSTHORN_DATA_NOT_CHECKED, POSTHORN_SCHEMA_INVALID
   */
  async check(owner: string, schema: string, data: Buffer | string): Promise<FieldError[]> {
    const release = this.budget.tryTake(owner, data.length);
    if (release === undefined) throw overloaded();
    try {
      return await new Promise<FieldError[]>((resolve, reject) => {
        const check = { schema, data, sinceMs: this.deps.now(), resolve, reject };
        const queue = this.queues.get(owner);
        if (queue === undefined) this.queues.set(owner, [check]);
        else queue.push(check);
        if (!this.isWorking) void this.work();
      });
    } finally {
      release();
    }
  }

  private async work(): Promise<void> {
    this.isWorking = true;
    for (let owner = this.nextOwner(); owner !== undefined; owner = this.nextOwner()) {
      await this.run(owner);
    }
    this.isWorking = false;
  }

  /** Rejects late checks. Returns the tenant with the earliest start; of equal ones, the first. */
  private nextOwner(): string | undefined {
    const latestMs = this.deps.now() - limits.schemaCheckWaitMsMax;
    let next: string | undefined;
    let nextStartMs = Number.POSITIVE_INFINITY;
    for (const [owner, queue] of this.queues) {
      while (queue[0] !== undefined && queue[0].sinceMs < latestMs)
        queue.shift()?.reject(tooLate());
      const startMs = this.startOf(owner);
      if (queue.length === 0) this.queues.delete(owner);
      else if (startMs < nextStartMs) [next, nextStartMs] = [owner, startMs];
    }
    return next;
  }

  private startOf(owner: string): number {
    return this.starts.get(owner) ?? this.virtualMs - IDLE_HEAD_START_MS;
  }

  private async run(owner: string): Promise<void> {
    const queue = this.queues.get(owner);
    const check = queue?.shift();
    if (check === undefined) return;
    if (queue?.length === 0) this.queues.delete(owner);
    const startedMs = this.deps.now();
    await this.deps.thread.check(check.schema, check.data).then(check.resolve, check.reject);
    this.virtualMs = Math.max(this.virtualMs, this.startOf(owner));
    this.starts.set(owner, this.virtualMs + this.deps.now() - startedMs);
    // A start in the past gives no credit, so it need not be kept.
    for (const [other, startMs] of this.starts) {
      if (startMs < this.virtualMs) this.starts.delete(other);
    }
  }
}

function overloaded(): PosthornError {
  return new PosthornError('POSTHORN_OVERLOADED', {
    detail: 'too many events of the tenant wait to be checked against their schemas; send it again',
  });
}

function tooLate(): PosthornError {
  return new PosthornError('POSTHORN_OVERLOADED', {
    detail: 'too many events wait to be checked against their schemas; send it again',
  });
}
