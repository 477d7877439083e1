import { accessSync, closeSync, constants, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/**
 * SQLite's code for a lock that another connection holds (https://sqlite.org/rescode.html#busy).
 */
const SQLITE_BUSY = 5;

/**
 * An exclusive lock on a file for as long as this process lives. It is the operating system's lock
 * (`fcntl`), acquired through SQLite because Node has no file locks: the kernel releases it when
 * the process ends, even by SIGKILL. No process id is used, so a reused id, a restarted container
 * or a shell with a similar command line cannot keep the file locked. Processes in different
 * containers that share the volume exclude each other too.
 *
 * The file remains when the lock is released: if it were removed, two processes could lock two
 * files of the same name.
 */
export class DirectoryLock {
  private readonly database: DatabaseSync;
  private readonly onExit = (): void => this.release();

  private constructor(database: DatabaseSync) {
    this.database = database;
    // Keeps a reference for the life of the process: garbage collection of the connection would
    // release the lock.
    process.on('exit', this.onExit);
  }

  /**
   * @returns undefined if any process, including this one, holds the lock
   * @throws Error of the file system if the file cannot be created or written, of SQLite if it
   * cannot be locked
   */
  static acquire(file: string): DirectoryLock | undefined {
    makeFile(file);
    const database = new DatabaseSync(file, { timeout: 0 });
    try {
      // Leaves no journal file behind, however the process ends.
      database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
      return new DirectoryLock(database);
    } catch (error) {
      database.close();
      if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return undefined;
      throw error;
    }
  }

  get isHeld(): boolean {
    return this.database.isOpen;
  }

  /** May be called twice. */
  release(): void {
    if (!this.isHeld) return;
    process.off('exit', this.onExit);
    this.database.close();
  }
}

/**
 * Creates the file, because SQLite does not report why it cannot open one. An existing file is not
 * opened: closing any descriptor of a file releases all `fcntl` locks that the process has on it.
 */
function makeFile(file: string): void {
  try {
    closeSync(openSync(file, 'wx', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  accessSync(file, constants.R_OK | constants.W_OK);
}
