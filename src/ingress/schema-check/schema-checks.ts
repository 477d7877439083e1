/**
 * Checks data against schemas off the event loop, tenants in turns of one check: a tenant with much
 * to check delays its own events. Nothing is stored before its check has passed.
 *
 * State: the data of waiting checks, which their requests hold in memory anyway. Bounds:
 * `limits.schemaCheckBytesMax` for all of them, of which each tenant has a share, and
 * `limits.schemaCheckWaitMsMax` for each. A crash loses checks, and their callers get no answer.
 */
import { ByteBudget } from '#domain/bounds/byte-budget.ts';
import { type FieldError, PosthornError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import type { CheckThread } from './check-thread.ts';

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
  /** By owner, in the order of turns. */
  private readonly queues = new Map<string, Check[]>();
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
    for (let check = this.takeNext(); check !== undefined; check = this.takeNext()) {
      await this.run(check);
    }
    this.isWorking = false;
  }

  private takeNext(): Check | undefined {
    const [turn] = this.queues;
    if (turn === undefined) return undefined;
    const [owner, queue] = turn;
    this.queues.delete(owner);
    const check = queue.shift();
    if (queue.length > 0) this.queues.set(owner, queue);
    return check;
  }

  private async run({ schema, data, sinceMs, resolve, reject }: Check): Promise<void> {
    if (this.deps.now() - sinceMs > limits.schemaCheckWaitMsMax) {
      reject(overloaded());
      return;
    }
    await this.deps.thread.check(schema, data).then(resolve, reject);
  }
}

function overloaded(): PosthornError {
  return new PosthornError('POSTHORN_OVERLOADED', {
    detail: 'too many events of the tenant wait to be checked against their schemas; send it again',
  });
}
