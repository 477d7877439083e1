import type { Log } from './log.ts';

const EVERY_MS = 60_000;

/**
 * Logs a fault that a poll meets again at each turn: immediately, then once a minute with the
 * number of repeats since the last line. Otherwise a broker that is down for an hour costs
 * thousands of equal lines of each process.
 */
export class RepeatingFault {
  private readonly lines = new Map<string, { atMs: number; repeats: number }>();
  private readonly log: Pick<Log, 'warn'>;
  private readonly name: string;
  private readonly now: () => number;

  /**
   * @param name of the line, for example `placement.look_failed`
   * @param now monotonic milliseconds
   */
  constructor(log: Pick<Log, 'warn'>, name: string, now: () => number) {
    this.log = log;
    this.name = name;
    this.now = now;
  }

  /** @param facts name what failed; each distinct set has its own lines, so they must be few */
  failed(error: Error, facts: Readonly<Record<string, unknown>> = {}): void {
    const key = JSON.stringify(facts);
    const nowMs = this.now();
    const last = this.lines.get(key);
    if (last !== undefined && nowMs - last.atMs < EVERY_MS) {
      last.repeats++;
      return;
    }
    const repeats = last?.repeats ?? 0;
    this.lines.set(key, { atMs: nowMs, repeats: 0 });
    this.log.warn({ ...facts, error: error.message, ...(repeats > 0 && { repeats }) }, this.name);
  }
}
