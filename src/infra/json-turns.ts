/**
 * Reads large JSON texts in slices, so that the event loop runs in between. Owners (tenants) take
 * turns of one slice (deficit round robin). A tenant with many large texts delays its own texts;
 * those of another tenant wait one slice for each slice of their own. The texts of one owner are
 * read in order of arrival.
 *
 * State: the texts being read, which their requests hold in memory anyway. A crash loses them, and
 * their callers get no answer.
 */
import { FairQueue } from '#domain/contention/fair-queue.ts';
import type { JsonBounds } from '#domain/json/json-bounds.ts';
import type { JsonNode, Wanted } from '#domain/json/json-outline.ts';
import { JsonBuilder } from '#domain/json/json-builder.ts';
import { newJsonScanner } from '#domain/json/scan-json.ts';
import { limits } from '#domain/limits.ts';

interface Task {
  /** Reads a slice. Returns whether it was the last. */
  read: () => boolean;
  resolve: () => void;
  reject: (error: unknown) => void;
}

export class JsonTurns {
  private readonly queue = new FairQueue<Task>(1);
  private readonly soon: (step: () => void) => void;

  /** @param soon runs a step in a later turn of the event loop */
  constructor(soon: (step: () => void) => void = setImmediate) {
    this.soon = soon;
  }

  /** Whether a text is large enough for turns. */
  isLarge(bytes: Buffer): boolean {
    return bytes.length > limits.jsonAtOnceBytesMax;
  }

  /** Rejects with `JsonFault`. */
  async read(
    owner: string,
    bytes: Buffer,
    wanted?: Wanted,
    bounds?: JsonBounds,
  ): Promise<JsonNode> {
    const scanner = newJsonScanner(bytes, wanted, bounds);
    return this.run(
      owner,
      () => scanner.read(limits.jsonSliceBytes),
      () => scanner.outline,
    );
  }

  /**
   * Builds the value of a text that was validated before, as `JSON.parse` does. Rejects with
   * `SyntaxError`.
   */
  build(owner: string, bytes: Buffer): Promise<unknown> {
    const builder = new JsonBuilder(bytes);
    return this.run(
      owner,
      () => builder.read(limits.jsonBuiltSliceBytes),
      () => builder.value,
    );
  }

  private run<T>(owner: string, read: () => boolean, result: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const isIdle = this.queue.isEmpty;
      this.queue.push(owner, { read, resolve: () => resolve(result()), reject });
      if (isIdle) this.soon(() => this.step());
    });
  }

  private step(): void {
    const task = this.queue.head();
    if (task === undefined) return;
    // The owner's turn ends with the slice. If it was the owner's last, its turn has ended already.
    if (!isDone(task) || this.queue.shift()) this.queue.spend();
    if (!this.queue.isEmpty) this.soon(() => this.step());
  }
}

/** Reads a slice. Returns whether it was the last, also because of an error. */
function isDone({ read, resolve, reject }: Task): boolean {
  try {
    if (!read()) return false;
    resolve();
  } catch (error) {
    reject(error);
  }
  return true;
}
