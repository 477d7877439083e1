import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** The processes that a process started and that still run. */
export function childrenOf(parent: number): number[] {
  return allProcesses()
    .filter(({ ppid }) => ppid === parent)
    .map(({ pid }) => pid);
}

/** The processes that a process started, those that they started, and so on, that still run. */
export function descendantsOf(parent: number): number[] {
  const all = allProcesses();
  const found: number[] = [];
  const add = (of: number): void => {
    for (const { pid, ppid } of all) {
      if (ppid !== of) continue;
      found.push(pid);
      add(pid);
    }
  };
  add(parent);
  return found;
}

/** Whether a process runs; one that has ended and waits for its parent to notice does not. */
export function isRunning(pid: number): boolean {
  return allProcesses().some((process) => process.pid === pid);
}

function allProcesses(): { pid: number; ppid: number }[] {
  if (process.platform !== 'linux') {
    const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).split('\n');
    return lines.map((line) => {
      const [pid, ppid] = line.trim().split(/\s+/).map(Number);
      return { pid: pid as number, ppid: ppid as number };
    });
  }
  const found = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    // pid (name) state ppid …; the name may hold anything.
    const stat = readStat(`/proc/${name}/stat`);
    const [state, ppid] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (stat !== '' && state !== 'Z') found.push({ pid: Number(name), ppid: Number(ppid) });
  }
  return found;
}

function readStat(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // It has ended in between.
  }
}
