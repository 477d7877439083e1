import { spawnSync } from 'node:child_process';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** A file system of a fixed size in memory, mounted on a folder, to simulate a full disk. */
export class SmallDisk {
  private readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /**
   * Linux only, as root of the caller's mount namespace.
   *
   * @throws Error if it cannot be mounted
   */
  static mount(path: string, mebibytes: number): SmallDisk {
    command('mount', '-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'posthorn-test', path);
    return new SmallDisk(path);
  }

  /** Uses all remaining space. */
  fill(): void {
    const file = openSync(this.ballast, 'a');
    try {
      // Writes down to single pages, so that no free space remains.
      for (const bytes of [1024 * 1024, 4096]) writeUntilFull(file, Buffer.alloc(bytes));
    } finally {
      closeSync(file);
    }
  }

  /** Frees the space again. */
  free(): void {
    rmSync(this.ballast, { force: true });
  }

  unmount(): void {
    command('umount', '--lazy', this.path);
  }

  private get ballast(): string {
    return join(this.path, 'ballast');
  }
}

function writeUntilFull(file: number, block: Buffer): void {
  try {
    for (;;) writeSync(file, block);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  }
}

function command(name: string, ...args: string[]): void {
  const { status, stderr, error } = spawnSync(name, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${name}: ${error?.message ?? stderr.trim()}`);
}
