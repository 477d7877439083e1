/**
 * Tracks the unfinished rounds of one canary: published events whose webhook has not arrived.
 *
 * An open round ends when its webhook arrives in time. A lost or refused round is remembered,
 * because its webhook may still arrive. After `LOST_MAX` lost rounds in a row, the path counts as
 * broken: further rounds are lost without an event, except one event every two minutes. A long
 * outage therefore leaves a small backlog. Any arrival, in time or late, shows that the path works
 * again.
 */

/**
 * Longer than automatic recovery: a worker's shards are taken over within 5 s, a broker's streams
 * within 9 s.
 */
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

  /** Whether a new event would be lost too, so that none needs to be sent. */
  isPathBroken(nowMs: number): boolean {
    return this.lostInARow >= LOST_MAX && nowMs - this.lastSentMs < TRIAL_EVERY_MS;
  }

  begin(id: string, nowMs: number): void {
    this.open.set(id, nowMs);
    this.lastSentMs = nowMs;
  }

  /**
   * Records that ingress rejected the event, although it may have been stored. @returns false if it
   * has already arrived
   */
  refuse(id: string): boolean {
    if (!this.open.delete(id)) return false;
    this.decide(id);
    return true;
  }

  /** Ends the rounds whose time has passed, and returns their event ids: they are lost. */
  expire(nowMs: number): string[] {
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

  /**
   * Records an arrival. @returns its latency in milliseconds if in time, else whether it is late or
   * unknown
   */
  arrive(id: string, nowMs: number): number | 'late' | 'unknown' {
    const sentMs = this.open.get(id);
    if (sentMs === undefined && !this.decided.delete(id)) return 'unknown';
    this.lostInARow = 0;
    if (sentMs === undefined) return 'late';
    this.open.delete(id);
    return nowMs - sentMs;
  }

  /** Resets the count for a new endpoint: losses on the old one do not apply to it. */
  reset(): void {
    this.lostInARow = 0;
  }

  private decide(id: string): void {
    this.decided.add(id);
    const [oldest] = this.decided;
    if (this.decided.size > DECIDED_MAX && oldest !== undefined) this.decided.delete(oldest);
  }
}
