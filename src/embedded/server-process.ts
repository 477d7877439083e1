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
  /** Whether `stop` or `kill` caused the end. */
  expected: boolean;
}

/** A running server that belongs to this process. */
export interface EmbeddedServer {
  readonly pid: number;
  readonly port: number;
  /** URL for clients. */
  readonly url: string;
  /** Resolves when the process has ended. */
  readonly exited: Promise<ServerExit>;
  /**
   * Asks the server to end and waits for it. Kills it after `deadlineMs` (10 s). May be called
   * twice.
   */
  stop(deadlineMs?: number): Promise<void>;
  /** Sends a signal; with SIGKILL waits until the process has ended. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Called once when the process ends, or immediately if it has already ended. */
  onExit(listener: (exit: ServerExit) => void): void;
  /** A fault that only a restart can clear; undefined if there is none. */
  fault?(): Promise<string | undefined>;
}

export interface ServerProcessOptions {
  /** Name for messages: `nats-server`. */
  name: string;
  binary: string;
  args: string[];
  /** A command that runs the command that follows it (`nsenter …`), for tests. */
  launcher?: readonly string[];
}

/**
 * A server run as a child in its own process group, so that Ctrl-C in a terminal reaches the parent
 * alone, which then stops everything in order. If the parent is killed instead, the standard input
 * of a watching shell closes, and the shell ends the server: no process is left behind.
 */
export class ServerProcess {
  readonly name: string;
  readonly pid: number;
  readonly exited: Promise<ServerExit>;
  private readonly child: ChildProcess;
  private readonly watcher: ChildProcess;
  private readonly lines: string[] = [];
  private isStopRequested = false;
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
          resolve({ code, signal, expected: this.isStopRequested });
        };
        // The last output, which has the reason of the end, may arrive after the exit. The wait is
        // limited, because a child of the server may keep the output open.
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

  /** The last lines of the server's output, for error texts. */
  get output(): string {
    return this.lines.join('\n');
  }

  async stop(deadlineMs = 10_000): Promise<void> {
    this.isStopRequested = true;
    if (this.hasEnded) return;
    this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), deadlineMs);
    await this.exited;
    clearTimeout(timer);
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    this.isStopRequested = true;
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

/**
 * Ends `pid` when this process has ended: the shell reads from a pipe that only this process holds
 * open.
 */
function watchParent(pid: number): ChildProcess {
  const script = 'read -r _; kill -TERM "$1" 2>/dev/null';
  const watcher = spawn('/bin/sh', ['-c', script, 'posthorn-watch', String(pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  // Without the watcher, an orderly stop still ends the server, and the next start ends a leftover
  // one.
  watcher.on('error', () => undefined);
  watcher.stdin?.on('error', () => undefined);
  watcher.unref();
  return watcher;
}
