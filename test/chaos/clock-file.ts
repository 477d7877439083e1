import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { System } from '#testkit/system.ts';

/** The signal on which a process reads its clock offset from the file (shifted-clock.ts). */
export const CLOCK_SIGNAL = 'SIGUSR2';

/** Steps the wall clock of processes that were started with its settings. */
export class ClockFile {
  private readonly path = join(tmpdir(), `posthorn-test-clock-${process.pid}`);

  constructor() {
    writeFileSync(this.path, '0');
  }

  /** The environment of a process with such a clock. */
  get settings(): Record<string, string> {
    const module = new URL('./shifted-clock.ts', import.meta.url);
    return { NODE_OPTIONS: `--import=${module.href}`, TEST_CLOCK_FILE: this.path };
  }

  /** Shifts the wall clock of every process of the system by this offset. */
  async step(system: System, milliseconds: number): Promise<void> {
    writeFileSync(this.path, String(milliseconds));
    await Promise.all(system.processes.map((process) => process.kill(CLOCK_SIGNAL)));
  }

  remove(): void {
    rmSync(this.path, { force: true });
  }
}
