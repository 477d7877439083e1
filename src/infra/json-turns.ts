/**
 * Reads large JSON texts in slices, so that the event loop runs in between. Owners (tenants) take
 * turns of one slice. A tenant with many large texts delays its own texts; those of another tenant
 * wait one slice for each slice of their own. The texts of one owner are read in order of arrival.
 *
 * State: the texts being read, which their requests hold in memory anyway. A crash loses them, and
 * their callers get no answer.
 */
import type { JsonBounds } from '#domain/json/json-bounds.ts';
import type { JsonNode, Wanted } from '#domain/json/json-outline.ts';
import type { JsonScanner } from '#domain/json/json-scanner.ts';
import { newJsonScanner } from '#domain/json/scan-json.ts';
import { limits } from '#domain/limits.ts';

interface Reading {
  scanner: JsonScanner;
  resolve: (outline: JsonNode) => void;
  reject: (error: unknown) => void;
}

export class JsonTurns {
  /** By owner, in the order of turns. */
  private readonly queues = new Map<string, Reading[]>();
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
  read(owner: string, bytes: Buffer, wanted?: Wanted, bounds?: JsonBounds): Promise<JsonNode> {
    return new Promise((resolve, reject) => {
      const scanner = newJsonScanner(bytes, wanted, bounds);
      const reading: Reading = { scanner, resolve, reject };
      const queue = this.queues.get(owner);
      if (queue !== undefined) {
        queue.push(reading);
        return;
      }
      this.queues.set(owner, [reading]);
      if (this.queues.size === 1) this.soon(() => this.step());
    });
  }

  private step(): void {
    const [turn] = this.queues;
    if (turn === undefined) return;
    const [owner, queue] = turn;
    this.queues.delete(owner);
    if (isDone(queue[0] as Reading)) queue.shift();
    if (queue.length > 0) this.queues.set(owner, queue);
    if (this.queues.size > 0) this.soon(() => this.step());
  }
}

/** Reads a slice. Returns whether it was the last. */
function isDone({ scanner, resolve, reject }: Reading): boolean {
  try {
    if (!scanner.read(limits.jsonSliceBytes)) return false;
    resolve(scanner.outline);
  } catch (error) {
    reject(error);
  }
  return true;
}
