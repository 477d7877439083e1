import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

const OUTPUT_LINES_MAX = 40;
const OUTPUT_LINE_LENGTH_MAX = 1000;
const OUTPUT_END_MS_MAX = 2000;

/** How a server process ended. */
export interface ServerExit {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** True if `stop` or `kill` asked for it. */
  expected: boolean;
}

/** A running server that belongs to this process. */
export interface EmbeddedServer {
  readonly pid: number;
  readonly port: number;
  /** What a client connects to. */
  readonly url: string;
  /** Ends when the process has ended. */
  readonly exited: Promise<ServerExit>;
  /** Ask it to end, wait for it, kill it if it does not within `deadlineMs` (10 s). May be called twice. */
  stop(deadlineMs?: number): Promise<void>;
  /** Send a signal; with SIGKILL wait until it is gone. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Called once when the process ends, at once if it has already. */
  onExit(listener: (exit: ServerExit) => void): void;
  /** What it says is wrong with it, so that it is of no use until it is started again; undefined: nothing. */
  fault?(): Promise<string | undefined>;
}

export interface ServerProcessOptions {
  /** Name for messages: `nats-server`. */
  name: string;
  binary: string;
  args: string[];
  /** A command that becomes the one after it (`nsenter …`), for tests. */
  launcher?: readonly string[];
}

/**
 * A server run as a child in a process group of its own, so that Ctrl-C in a terminal reaches the parent
 * alone, which then stops everything in order. If the parent dies without that (kill -9), a watching shell,
 * whose standard input then closes, ends the server: nothing is left behind.
 */
export class ServerProcess {
  readonly name: string;
  readonly pid: number;
  readonly exited: Promise<ServerExit>;
  private readonly child: ChildProcess;
  private readonly watcher: ChildProcess;
  private readonly lines: string[] = [];
  private asked = false;
  private hasEnded = false;

  private constructor(name: string, child: ChildProcess, pid: number) {
    this.name = name;
    this.child = child;
    this.pid = pid;
    for (const stream of [child.stdout, child.stderr]) if (stream !== null) this.keepLines(stream);
    this.watcher = watchParent(pid);
    this.exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        this.watcher.kill('SIGKILL');
        const end = (): void => {
          clearTimeout(timer);
          this.hasEnded = true;
          resolve({ code, signal, expected: this.asked });
        };
        // What it wrote last, which says why it ended, may come after this: not for ever, if a child of its own has it.
        const timer = setTimeout(end, OUTPUT_END_MS_MAX);
        child.once('close', end);
      });
    });
  }

  /** @throws Error if the binary cannot be run at all */
  static spawn(options: ServerProcessOptions): Promise<ServerProcess> {
    const [program, ...args] = [...(options.launcher ?? []), options.binary, ...options.args];
    const child = spawn(program as string, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    return new Promise((resolve, reject) => {
      child.once('error', (cause) =>
        reject(new Error(`${options.name} cannot be run (${options.binary})`, { cause })),
      );
      child.once('spawn', () =>
        resolve(new ServerProcess(options.name, child, child.pid as number)),
      );
    });
  }

  get ended(): boolean {
    return this.hasEnded;
  }

  /** The last lines that the server wrote: what to show when it fails. */
  get output(): string {
    return this.lines.join('\n');
  }

  async stop(deadlineMs = 10_000): Promise<void> {
    this.asked = true;
    if (this.hasEnded) return;
    this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), deadlineMs);
    await this.exited;
    clearTimeout(timer);
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    this.asked = true;
    if (this.hasEnded) return;
    this.child.kill(signal);
    if (signal === 'SIGKILL') await this.exited;
  }

  onExit(listener: (exit: ServerExit) => void): void {
    void this.exited.then(listener);
  }

  private keepLines(stream: Readable): void {
    createInterface({ input: stream }).on('line', (line) => {
      this.lines.push(line.slice(0, OUTPUT_LINE_LENGTH_MAX));
      if (this.lines.length > OUTPUT_LINES_MAX) this.lines.shift();
    });
  }
}

/** Ends `pid` when this process is gone: the shell waits on a pipe that only this process holds open. */
function watchParent(pid: number): ChildProcess {
  const script = 'read -r _; kill -TERM "$1" 2>/dev/null';
  const watcher = spawn('/bin/sh', ['-c', script, 'posthorn-watch', String(pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  // Without it the server still ends with an orderly stop, and a leftover is ended at the next start.
  watcher.on('error', () => undefined);
  watcher.stdin?.on('error', () => undefined);
  watcher.unref();
  return watcher;
}
