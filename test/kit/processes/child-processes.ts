import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** The running child processes of a process. */
export function childrenOf(parent: number): number[] {
  return allProcesses()
    .filter(({ ppid }) => ppid === parent)
    .map(({ pid }) => pid);
}

/** The running descendants of a process. */
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

/** Whether a process is running; a zombie is not. */
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
    // pid (name) state ppid …; the name may contain any character.
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
    return ''; // The process has ended since it was listed.
  }
}
