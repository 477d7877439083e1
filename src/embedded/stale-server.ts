import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

export interface StaleServer {
  /** File that holds the process id in its first line. */
  pidFile: string;
  /** Name of the program, as it stands in its command line. */
  program: string;
  /** Folder that must stand in its command line too. */
  dataDir: string;
}

/**
 * Ends a server that an earlier, killed parent left on this data folder. A process id can belong to somebody
 * else by now, so the process's command line must name both the program and the folder.
 *
 * @returns the process id that was ended, or undefined
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

/** The process id in a file, or undefined. */
export function readPid(pidFile: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(pidFile, 'utf8'), 10);
    return Number.isSafeInteger(pid) && pid > 1 ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** The command line of a running process, its words separated by spaces; undefined if there is none. */
export function commandLine(pid: number): string | undefined {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ').trim();
    return words === '' ? undefined : words; // A zombie has no words.
  } catch {
    // No /proc on macOS, or no such process.
  }
  if (process.platform === 'linux') return undefined;
  try {
    return execFileSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8' }).trim();
  } catch {
    return undefined;
  }
}

function isServer(pid: number, stale: StaleServer): boolean {
  const command = commandLine(pid);
  return (
    command !== undefined && command.includes(stale.program) && command.includes(stale.dataDir)
  );
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended in between.
  }
}
