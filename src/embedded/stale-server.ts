import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

export interface StaleServer {
  /** File that holds the process id in its first line. */
  pidFile: string;
  /** Prefix of the file name of its program. */
  program: string;
  /** Folder that must be among its arguments. */
  dataDir: string;
}

/**
 * Ends a server that an earlier, killed parent left running on this data folder. Another process
 * may have its process id by now, such as an editor of a file in the folder. Therefore the process
 * must run the program and have the folder among its arguments.
 *
 * @returns the process id of the ended server, or undefined
 */
export async function endStaleServer(stale: StaleServer): Promise<number | undefined> {
  const pid = readPid(stale.pidFile);
  if (pid === undefined || !isServer(pid, stale)) return undefined;
  signal(pid, 'SIGTERM');
  for (let waitedMs = 0; isServer(pid, stale); waitedMs += 50) {
    if (waitedMs === 10_000) signal(pid, 'SIGKILL');
    if (waitedMs > 15_000) throw new Error(`${stale.program} (pid ${pid}) does not end`);
    await delay(50);
  }
  return pid;
}

/** Reads the process id from a file; undefined if there is none. */
export function readPid(pidFile: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(pidFile, 'utf8'), 10);
    return Number.isSafeInteger(pid) && pid > 1 ? pid : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Reads the command line of a running process, its words separated by spaces; undefined if there is
 * none.
 */
export function commandLine(pid: number): string | undefined {
  return commandWords(pid)?.join(' ');
}

/** The program comes first. Without /proc (macOS) all arguments are one word. */
function commandWords(pid: number): string[] | undefined {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
    return words.length === 0 ? undefined : words; // A zombie has no words.
  } catch {
    // No /proc on macOS, or no such process.
  }
  if (process.platform === 'linux') return undefined;
  try {
    const ask = (column: string): string =>
      execFileSync('ps', ['-o', `${column}=`, '-p', String(pid)], { encoding: 'utf8' }).trim();
    const program = ask('comm');
    return [program, ask('args').slice(program.length + 1)];
  } catch {
    return undefined;
  }
}

function isServer(pid: number, { program, dataDir }: StaleServer): boolean {
  const [path = '', ...args] = commandWords(pid) ?? [];
  return basename(path).startsWith(program) && args.some((arg) => arg.includes(dataDir));
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // The process has ended since.
  }
}
