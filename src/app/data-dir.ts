import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { ConfigError } from '#domain/errors.ts';
import { commandLine, readPid } from '#src/embedded/stale-server.ts';

const LOCK = 'posthorn.pid';

/**
 * The folder of `posthorn start`: data of the embedded servers, keys, what the demo needs. One process holds
 * it at a time; the lock is a file with its process id, which counts only while that process lives.
 */
export class DataDir {
  readonly path: string;
  /** True if an earlier process ended without releasing the folder. */
  readonly tookOver: boolean;

  private constructor(path: string, tookOver: boolean) {
    this.path = path;
    this.tookOver = tookOver;
  }

  /** @throws ConfigError if it is no folder, cannot be written or is in use */
  static open(dir: string): DataDir {
    const path = resolve(dir);
    try {
      makeFolder(path);
      return new DataDir(path, takeLock(path));
    } catch (error) {
      if (error instanceof ConfigError) throw error;
      throw new ConfigError([
        `POSTHORN_DATA_DIR: ${pathFault(path, error as NodeJS.ErrnoException)}`,
      ]);
    }
  }

  join(name: string): string {
    return join(this.path, name);
  }

  /**
   * The JSON value kept under a name; undefined if there is none.
   * @throws ConfigError if it is not JSON
   */
  read(name: string): unknown {
    let text: string;
    try {
      text = readFileSync(this.join(name), 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw new ConfigError([`POSTHORN_DATA_DIR: ${(error as Error).message}`]);
    }
    try {
      return JSON.parse(text);
    } catch {
      throw new ConfigError([`POSTHORN_DATA_DIR: ${this.join(name)} is damaged: it is not JSON`]);
    }
  }

  /** Keeps a JSON value, readable by the owner only; a crash leaves the old or the new one. */
  write(name: string, value: unknown): void {
    const unfinished = this.join(`.${name}.unfinished`);
    writeFileSync(unfinished, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600, flush: true });
    renameSync(unfinished, this.join(name));
  }

  /** May be called twice. */
  release(): void {
    if (readPid(this.join(LOCK)) === process.pid) rmSync(this.join(LOCK), { force: true });
  }
}

/** Not by `recursive`: on a file system that takes no folders (/proc) Node tries again for ever. */
function makeFolder(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && statSync(path).isDirectory()) return;
    if (code !== 'ENOENT' || dirname(path) === path) throw error;
    if (statSync(dirname(path), { throwIfNoEntry: false }) !== undefined) throw error;
    makeFolder(dirname(path));
    mkdirSync(path, { mode: 0o700 });
  }
}

/** @returns true if the lock of a dead process was in the way */
function takeLock(dir: string): boolean {
  const lock = join(dir, LOCK);
  for (let tookOver = false; ; tookOver = true) {
    try {
      writeFileSync(lock, `${process.pid}\n`, { flag: 'wx', mode: 0o600 });
      return tookOver;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = readPid(lock);
    if (holder !== undefined && isPosthorn(holder)) {
      throw new ConfigError([
        `POSTHORN_DATA_DIR: ${dir} is in use by another posthorn (process ${holder})`,
      ]);
    }
    removeLockOf(holder, lock);
  }
}

/** Renamed first: of two that find the same dead lock, one gets it, and nobody removes a new one. */
function removeLockOf(holder: number | undefined, lock: string): void {
  const aside = `${lock}.${process.pid}`;
  try {
    renameSync(lock, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  if (readPid(aside) === holder) rmSync(aside, { force: true });
  else renameSync(aside, lock);
}

/** After a restart of a container an old id may be our own, or another program's. */
function isPosthorn(pid: number): boolean {
  return pid !== process.pid && (commandLine(pid)?.includes('main.ts') ?? false);
}

function pathFault(path: string, error: NodeJS.ErrnoException): string {
  if (error.code === 'EEXIST' || error.code === 'ENOTDIR') {
    return `${firstFileOf(path)} is not a folder`;
  }
  return `${path} cannot be written (${error.code ?? error.message})`;
}

function firstFileOf(path: string): string {
  let at = path;
  while (dirname(at) !== at && !isFile(at)) at = dirname(at);
  return at;
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
