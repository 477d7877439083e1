import {
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { ConfigError } from '#domain/errors.ts';
import { readPid } from '#src/embedded/stale-server.ts';
import { DirectoryLock } from '../surroundings/directory-lock.ts';

const LOCK = 'posthorn.lock';
/** For messages only: the lock alone decides which process owns the folder. */
const PID_FILE = 'posthorn.pid';

/**
 * The data folder of `posthorn start`: embedded servers, keys, the demo. One process owns it at a
 * time, by a lock that ends with the process.
 */
export class DataDir {
  readonly path: string;
  /** True if an earlier process ended without releasing the folder. */
  readonly tookOver: boolean;
  private readonly lock: DirectoryLock;

  private constructor(path: string, lock: DirectoryLock, tookOver: boolean) {
    this.path = path;
    this.lock = lock;
    this.tookOver = tookOver;
  }

  /** @throws ConfigError if the path is not a folder, cannot be written or is in use */
  static open(dir: string): DataDir {
    let path = dir;
    try {
      path = resolve(dir);
      makeFolder(path);
      return DataDir.take(path);
    } catch (error) {
      if (error instanceof ConfigError) throw error;
      throw new ConfigError([
        `POSTHORN_DATA_DIR: ${pathFault(path, error as NodeJS.ErrnoException)}`,
      ]);
    }
  }

  private static take(path: string): DataDir {
    const pidFile = join(path, PID_FILE);
    const lock = DirectoryLock.acquire(join(path, LOCK));
    if (lock === undefined) {
      const holder = readPid(pidFile);
      const who = holder === undefined ? '' : ` (process ${holder})`;
      throw new ConfigError([`POSTHORN_DATA_DIR: ${path} is in use by another posthorn${who}`]);
    }
    const tookOver = existsSync(pidFile);
    writeFileSync(pidFile, `${process.pid}\n`, { mode: 0o600 });
    return new DataDir(path, lock, tookOver);
  }

  join(name: string): string {
    return join(this.path, name);
  }

  /**
   * Reads the JSON value stored under a name; undefined if there is none.
   *
   * @throws ConfigError if the file is not JSON
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

  /**
   * Stores a JSON value that only the owner can read. A crash leaves either the old or the new
   * value.
   */
  write(name: string, value: unknown): void {
    const unfinished = this.join(`.${name}.unfinished`);
    writeFileSync(unfinished, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600, flush: true });
    renameSync(unfinished, this.join(name));
  }

  /**
   * Releases the folder. May be called twice. The process id is removed first: after the lock is
   * released, another process may have written its own.
   */
  release(): void {
    if (!this.lock.isHeld) return;
    rmSync(this.join(PID_FILE), { force: true });
    this.lock.release();
  }
}

/**
 * Creates parent folders one by one: `recursive` never returns on a file system without folders
 * (/proc).
 */
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
