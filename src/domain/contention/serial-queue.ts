/** Entries that end immediately before the event loop runs other work. */
const AT_ONCE = 32;

export interface SerialQueueDeps<T> {
  /**
   * Starts an entry. True: it has ended. False: it ends later, and its owner calls `ended` then,
   * never before this has returned. Must not throw.
   */
  start: (entry: T, key: string) => boolean;
  /** Runs a step in a later turn of the event loop. */
  soon: (step: () => void) => void;
}

/**
 * Runs the entries of each key (a tenant, an endpoint, a document) one after the other, in order of
 * arrival. Entries of one key never wait for those of another.
 *
 * States of an entry: waiting -> started -> ended. A key without entries is forgotten; an entry of
 * an idle key that ends immediately costs no memory.
 *
 * Limits: the callers bound the number of entries. A crash loses the queue, so callers must be able
 * to add its entries again.
 */
export class PerKeySerialQueue<T> {
  private readonly deps: SerialQueueDeps<T>;
  /** By key; the first entry of each has started. */
  private readonly queues = new Map<string, T[]>();

  constructor(deps: SerialQueueDeps<T>) {
    this.deps = deps;
  }

  /** Starts an entry now, or after the key's earlier entries. */
  add(key: string, entry: T): void {
    const queue = this.queues.get(key);
    if (queue !== undefined) queue.push(entry);
    else if (!this.deps.start(entry, key)) this.queues.set(key, [entry]);
  }

  /** Ends the started entry of a key, and starts the next one. */
  ended(key: string): void {
    const queue = this.queues.get(key);
    if (queue === undefined) return;
    queue.shift();
    this.startNext(key, queue);
  }

  /** The number of a key's entries that have not started. */
  waiting(key: string): number {
    const queue = this.queues.get(key);
    return queue === undefined ? 0 : queue.length - 1;
  }

  /** Removes an entry that has not started. */
  remove(key: string, entry: T): void {
    const queue = this.queues.get(key);
    const at = queue?.indexOf(entry, 1) ?? -1;
    if (at > 0) queue?.splice(at, 1);
  }

  /** Removes and returns the entries of a key that have not started. */
  removeWaiting(key: string): T[] {
    return this.queues.get(key)?.splice(1) ?? [];
  }

  /** All entries that have not ended. */
  *entries(): Iterable<T> {
    for (const queue of this.queues.values()) yield* queue;
  }

  private startNext(key: string, queue: T[]): void {
    for (let started = 0; queue.length > 0; started++) {
      if (started === AT_ONCE) {
        this.deps.soon(() => this.startNext(key, queue));
        return;
      }
      if (!this.deps.start(queue[0] as T, key)) return;
      queue.shift();
    }
    this.queues.delete(key);
  }
}
