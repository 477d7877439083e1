/**
 * Runs checks of data against schemas in one thread, one at a time, each with a deadline. The
 * thread starts with the first check and uses no memory before it. A check that passes its deadline
 * or its memory ends the thread with it; the next check starts another one.
 *
 * A crash of the thread loses its check, whose event is not stored yet: the caller gets an error.
 */
import { Worker } from 'node:worker_threads';
import { type FieldError, PosthornError } from '#domain/errors.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { CheckAnswer, CheckRequest } from './check-messages.ts';

/** Short-lived objects. */
const YOUNG_MEBIBYTES_MAX = 32;

/** Of the thread itself, with its compiled schemas. */
const HEAP_BASE_MEBIBYTES = 128;
/** Of the heap for each byte of JSON: the worst within the bounds of a body needs 28 (measured). */
const HEAP_BYTES_EACH = 32;

/** The heap that suffices for every event of this size. */
export function checkHeapMebibytes(eventBytesMax: number): number {
  return HEAP_BASE_MEBIBYTES + Math.ceil((eventBytesMax * HEAP_BYTES_EACH) / 2 ** 20);
}

export interface CheckThreadDeps {
  /** Of the heap of the thread. */
  heapMebibytesMax: number;
  deadlineMs: number;
  log: Log;
}

interface Running {
  timer: NodeJS.Timeout;
  settle: (error: PosthornError | undefined, faults: FieldError[]) => void;
}

export class CheckThread {
  private readonly deps: CheckThreadDeps;
  private worker: Worker | undefined;
  private running: Running | undefined;

  constructor(deps: CheckThreadDeps) {
    this.deps = deps;
  }

  /**
   * Returns the faults of `data`. One call at a time.
   *
   * @param schema a JSON Schema as JSON
   * @param data its JSON text; copied
   * @throws PosthornError POSTHORN_SCHEMA_INVALID; POSTHORN_DATA_NOT_CHECKED if the thread ends
   *   before the check does
   */
  check(schema: string, data: Buffer | string): Promise<FieldError[]> {
    const worker = (this.worker ??= this.spawn());
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.expire(running), this.deps.deadlineMs);
      const running: Running = {
        timer,
        settle: (error, faults) => (error === undefined ? resolve(faults) : reject(error)),
      };
      this.running = running;
      const bytes = new Uint8Array(typeof data === 'string' ? Buffer.from(data) : data);
      worker.postMessage({ schema, data: bytes } satisfies CheckRequest, [bytes.buffer]);
    });
  }

  private spawn(): Worker {
    const worker = new Worker(new URL('check-worker.ts', import.meta.url), {
      execArgv: [],
      resourceLimits: {
        maxOldGenerationSizeMb: this.deps.heapMebibytesMax,
        maxYoungGenerationSizeMb: YOUNG_MEBIBYTES_MAX,
      },
      name: 'schema-checks',
    });
    worker.on('message', (answer: CheckAnswer) => {
      if (this.worker !== worker) return;
      if ('faults' in answer) this.settle(undefined, answer.faults);
      else
        this.settle(new PosthornError('POSTHORN_SCHEMA_INVALID', { detail: answer.schemaFault }));
    });
    worker.on('error', (error) => this.end(worker, error.message));
    worker.once('exit', () => this.end(worker, 'the thread ended'));
    // Requests keep the process alive; the thread must not. A listener undoes an earlier `unref`.
    worker.unref();
    return worker;
  }

  private expire(running: Running): void {
    // After a busy turn of the event loop the answer may be there, and not read yet.
    setImmediate(() => {
      const { worker } = this;
      if (this.running !== running || worker === undefined) return;
      this.end(worker, `no answer in ${this.deps.deadlineMs} ms`);
    });
  }

  /** Ends the thread and its check. */
  private end(worker: Worker, reason: string): void {
    if (this.worker !== worker) return;
    this.worker = undefined;
    void worker.terminate();
    this.deps.log.warn({ reason }, 'ingress.schema_thread_ended');
    this.settle(new PosthornError('POSTHORN_DATA_NOT_CHECKED'));
  }

  private settle(error: PosthornError | undefined, faults: FieldError[] = []): void {
    const { running } = this;
    if (running === undefined) return;
    this.running = undefined;
    clearTimeout(running.timer);
    running.settle(error, faults);
  }
}
