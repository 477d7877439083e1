/**
 * The rounds of one canary that are not over: events that were published and whose webhook has not arrived.
 *
 * A round is open, then either arrives in time and is forgotten, or is decided against (lost, refused) and remembered, since
 * its webhook may still come: a broken path is not a lost event. After `LOST_MAX` lost ones in a row they say by themselves
 * that the path is broken, and only one event every two minutes is added to what waits there, so that a long outage leaves
 * few behind. Whatever arrives, in time or late, says that the path works again.
 */

/** Longer than what heals itself takes: a worker's shards are taken over within 5 s, a broker's streams within 9 s. */
export const LOST_AFTER_MS = 10_000;
export const LOST_MAX = 4;
export const TRIAL_EVERY_MS = 120_000;
const DECIDED_MAX = 64;

export class RoundLedger {
  /** By event id, the time of publication. */
  private readonly open = new Map<string, number>();
  /** Oldest first. */
  private readonly decided = new Set<string>();
  private lostInARow = 0;
  private lastSentMs = 0;

  /** Whether it is known how a further event would end. */
  isHopeless(nowMs: number): boolean {
    return this.lostInARow >= LOST_MAX && nowMs - this.lastSentMs < TRIAL_EVERY_MS;
  }

  begin(id: string, nowMs: number): void {
    this.open.set(id, nowMs);
    this.lastSentMs = nowMs;
  }

  /** Ingress did not take it; it may have been stored all the same. @returns false where it has arrived already */
  refuse(id: string): boolean {
    if (!this.open.delete(id)) return false;
    this.decide(id);
    return true;
  }

  /** The ids of events whose time is over: their rounds are lost. */
  takeLost(nowMs: number): string[] {
    const lost: string[] = [];
    for (const [id, sentMs] of this.open) {
      if (nowMs - sentMs < LOST_AFTER_MS) continue;
      this.open.delete(id);
      this.decide(id);
      this.lostInARow++;
      lost.push(id);
    }
    return lost;
  }

  /** A webhook: how long it took in milliseconds if in time, else that it is late, or not known (any more). */
  arrive(id: string, nowMs: number): number | 'late' | 'unknown' {
    const sentMs = this.open.get(id);
    if (sentMs === undefined && !this.decided.delete(id)) return 'unknown';
    this.lostInARow = 0;
    if (sentMs === undefined) return 'late';
    this.open.delete(id);
    return nowMs - sentMs;
  }

  /** The path is another one now: what was lost on the last says nothing of it. */
  startAfresh(): void {
    this.lostInARow = 0;
  }

  private decide(id: string): void {
    this.decided.add(id);
    const [oldest] = this.decided;
    if (this.decided.size > DECIDED_MAX && oldest !== undefined) this.decided.delete(oldest);
  }
}
