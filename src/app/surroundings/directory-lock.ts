import { accessSync, closeSync, constants, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/** SQLite's code for a lock that another connection holds (https://sqlite.org/rescode.html#busy). */
const SQLITE_BUSY = 5;

/**
 * Holds a file exclusively for as long as this process lives. The lock is the operating system's (`fcntl`), taken by
 * SQLite because Node offers no file locks: the kernel releases it when the process ends, however that happens. No
 * process id is believed, so a reused id, a restarted container or a shell with a similar command line cannot keep
 * the file locked. Processes in different containers that share the volume exclude each other too.
 *
 * The file stays when the lock is released: removing it would let two processes lock two files of one name.
 */
export class DirectoryLock {
  private readonly database: DatabaseSync;
  private readonly onExit = (): void => this.release();

  private constructor(database: DatabaseSync) {
    this.database = database;
    // Garbage collection of the connection would release the lock: the process refers to it until it ends.
    process.on('exit', this.onExit);
  }

  /**
   * @returns undefined if another process, or this one, holds the file
   * @throws Error of the file system if the file cannot be made or written, of SQLite if it cannot be locked
   */
  static acquire(file: string): DirectoryLock | undefined {
    makeFile(file);
    const database = new DatabaseSync(file, { timeout: 0 });
    try {
      // Leaves no journal file behind, whatever ends the process.
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
 * SQLite does not say why it cannot open a file. The file is opened here only if it is new: closing any descriptor of
 * a file ends all `fcntl` locks that the process has on it.
 */
function makeFile(file: string): void {
  try {
    closeSync(openSync(file, 'wx', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  accessSync(file, constants.R_OK | constants.W_OK);
}
