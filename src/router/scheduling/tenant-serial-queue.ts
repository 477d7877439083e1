/**
 * Keeps the events of a tenant in order while one of them cannot be routed at once: because its
 * data is loaded, its filters exceed their budget, or the configuration is refreshed. Only the
 * later events of the same tenant wait.
 *
 * Limits: the consumers' `max_ack_pending` bounds the entries.
 */
import { setImmediate } from 'node:timers/promises';
import type { InFlightEvent } from '../in-flight-event.ts';

/** Events routed synchronously before the event loop runs other work. */
const AT_ONCE = 32;

export interface QueueEntry {
  message: InFlightEvent;
  /** Routes the event as far as order matters. Undefined: done. Must neither throw nor reject. */
  begin: () => Promise<void> | undefined;
}

export class TenantSerialQueue {
  /** By tenant; the first entry of each is being routed. */
  private readonly queues = new Map<string, QueueEntry[]>();

  /** Begins an entry now, or after the tenant's earlier entries. */
  add(tenant: string, entry: QueueEntry): void {
    const queue = this.queues.get(tenant);
    if (queue !== undefined) {
      queue.push(entry);
      return;
    }
    const busy = entry.begin();
    if (busy === undefined) return;
    const made = [entry];
    this.queues.set(tenant, made);
    void this.work(tenant, made, busy);
  }

  /** Events that are not routed yet. */
  *messages(): Iterable<InFlightEvent> {
    for (const queue of this.queues.values()) {
      for (const { message } of queue) yield message;
    }
  }

  private async work(tenant: string, queue: QueueEntry[], busy: Promise<void>): Promise<void> {
    await busy;
    queue.shift();
    let done = 0;
    for (let entry = queue[0]; entry !== undefined; entry = queue[0]) {
      await entry.begin();
      queue.shift();
      if (++done % AT_ONCE === 0) await setImmediate();
    }
    this.queues.delete(tenant);
  }
}
