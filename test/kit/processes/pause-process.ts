import { readFileSync, readdirSync } from 'node:fs';
import { waitUntil } from '../wait-until.ts';

/**
 * Resolves once SIGSTOP has stopped every thread of a process. The kernel stops a thread
 * when it schedules it next: on a busy machine others of the process run on for tens of ms, and a
 * server still answers. Needs Linux.
 */
export async function untilStopped(pid: number): Promise<void> {
  await waitUntil(() => threadStates(pid).every((state) => state === 'T') || undefined, {
    what: `process ${pid} stopped`,
    intervalMs: 1,
  });
}

function threadStates(pid: number): string[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((thread) => {
    try {
      const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'latin1');
      // The name of the program comes before it, in parentheses, and may contain any character.
      return [stat.charAt(stat.lastIndexOf(')') + 2)];
    } catch {
      return []; // The thread has ended.
    }
  });
}
