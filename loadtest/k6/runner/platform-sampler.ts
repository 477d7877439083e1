/**
 * Samples CPU and memory of the platform's processes once a second, from /proc: for local runs on
 * Linux only.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';

const TICKS_PER_S = 100;
const EVERY_MS = 1000;

export interface PlatformSample {
  /** Seconds since 1970. */
  at: number;
  /** Cores busy since the last sample, by all its processes, servers included. */
  cores: number;
  nodeMiB: number;
}

interface Usage {
  ticks: number;
  nodeKiB: number;
}

export class PlatformSampler {
  readonly samples: PlatformSample[] = [];
  private readonly pid: number;
  private readonly timer: NodeJS.Timeout;
  private lastTicks: number;
  private lastMs = performance.now();

  /** @param pid of `posthorn start`, whose children are the platform */
  constructor(pid: number) {
    this.pid = pid;
    this.lastTicks = usageOf(pid).ticks;
    this.timer = setInterval(() => this.sample(), EVERY_MS);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private sample(): void {
    const { ticks, nodeKiB } = usageOf(this.pid);
    const nowMs = performance.now();
    const seconds = (nowMs - this.lastMs) / 1000;
    const cores = Math.max(0, ticks - this.lastTicks) / TICKS_PER_S / seconds;
    this.samples.push({ at: Math.floor(Date.now() / 1000), cores, nodeMiB: nodeKiB / 1024 });
    this.lastTicks = ticks;
    this.lastMs = nowMs;
  }
}

/** The children of a process whose command line contains `word`. */
export function childrenOf(pid: number, word: string): number[] {
  return processes()
    .filter(({ parent }) => parent === pid)
    .map(({ pid: child }) => child)
    .filter((child) => commandOf(child).includes(word));
}

function usageOf(pid: number): Usage {
  const usage: Usage = { ticks: 0, nodeKiB: 0 };
  for (const each of processes()) {
    if (each.pid !== pid && each.parent !== pid) continue;
    usage.ticks += each.ticks;
    if (/node(-|$| )/.test(commandOf(each.pid).split('\0')[0] ?? ''))
      usage.nodeKiB += rssKiB(each.pid);
  }
  return usage;
}

function processes(): { pid: number; parent: number; ticks: number }[] {
  if (!existsSync('/proc')) return [];
  const found = [];
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = readOr(`/proc/${entry}/stat`);
    // The program's name is in parentheses and may contain spaces.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
    found.push({ pid: Number(entry), parent: Number(fields[1] ?? 0), ticks });
  }
  return found;
}

function commandOf(pid: number): string {
  return readOr(`/proc/${pid}/cmdline`);
}

function rssKiB(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readOr(`/proc/${pid}/status`))?.[1] ?? 0);
}

/** Empty if the process has ended. */
function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
