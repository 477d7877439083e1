import { Counter, type Registry } from 'prom-client';

/** The levels of pino, by number. */
const LEVELS: ReadonlyMap<number, string> = new Map([
  [20, 'debug'],
  [30, 'info'],
  [40, 'warn'],
  [50, 'error'],
  [60, 'fatal'],
]);

/**
 * Counts log lines by level (OB-3). A log is created before the registry of its process, so the
 * counts are kept here and exported by `watch`.
 */
export class LogLines {
  private readonly counts = new Map<string, number>();

  constructor() {
    for (const level of LEVELS.values()) this.counts.set(level, 0);
  }

  /** @param level number of pino */
  count(level: number): void {
    const name = LEVELS.get(level);
    if (name !== undefined) this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
  }

  /** Exports the counts, those of earlier lines too. Called once. */
  watch(registry: Registry): void {
    const { counts } = this;
    const lines: Counter<'level'> = new Counter({
      name: 'posthorn_log_lines_total',
      help: 'Log lines by level.',
      labelNames: ['level'],
      registers: [registry],
      collect: (): void => {
        lines.reset();
        for (const [level, count] of counts) lines.inc({ level }, count);
      },
    });
  }
}
