/**
 * Keeps the events of a tenant in order where one of them cannot be routed at once: because its data is read, its
 * filters take more than their turn, or the configuration is looked up anew. Its tenant's later events wait behind it;
 * nobody else's do.
 *
 * Limits: what waits is bounded by the consumers' `max_ack_pending`.
 */
import { setImmediate } from 'node:timers/promises';
import type { EventInHand } from '../in-flight-event.ts';

/** Events of a line that may be routed at once before others have the thread. */
const AT_ONCE = 32;

export interface LineEntry {
  message: EventInHand;
  /** Routes it as far as its place in the line matters. Undefined: that is done. Must neither throw nor reject. */
  begin: () => Promise<void> | undefined;
}

export class TenantLines {
  /** By tenant; the first of each is the one that is being routed. */
  private readonly lines = new Map<string, LineEntry[]>();

  /** Begins with an entry now, or once those of its tenant that came before are done. */
  add(tenant: string, entry: LineEntry): void {
    const line = this.lines.get(tenant);
    if (line !== undefined) {
      line.push(entry);
      return;
    }
    const busy = entry.begin();
    if (busy === undefined) return;
    const made = [entry];
    this.lines.set(tenant, made);
    void this.work(tenant, made, busy);
  }

  /** What is not done. */
  *messages(): Iterable<EventInHand> {
    for (const line of this.lines.values()) {
      for (const { message } of line) yield message;
    }
  }

  private async work(tenant: string, line: LineEntry[], busy: Promise<void>): Promise<void> {
    await busy;
    line.shift();
    let done = 0;
    for (let entry = line[0]; entry !== undefined; entry = line[0]) {
      await entry.begin();
      line.shift();
      if (++done % AT_ONCE === 0) await setImmediate();
    }
    this.lines.delete(tenant);
  }
}
