import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { waitUntil } from '#testkit/wait-until.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** A `posthorn start` from its user's view: its output and its end. */
export class PosthornProcess {
  stdout = '';
  stderr = '';
  readonly child: ChildProcess;
  readonly exitCode: Promise<number | null>;

  /**
   * Uses free ports, unless `env` sets others.
   *
   * @param launcher a command that runs it; absent: Node itself
   */
  constructor(dataDir: string, env: Record<string, string> = {}, launcher?: [string, ...string[]]) {
    const [program, ...args] = launcher ?? [process.execPath, MAIN, 'start'];
    this.child = spawn(program, args, {
      cwd: ROOT,
      env: {
        ...process.env,
        POSTHORN_DATA_DIR: dataDir,
        POSTHORN_HTTP_PORT: '0',
        POSTHORN_OPS_PORT: '0',
        POSTHORN_RECEIVER_PORT: '0',
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stdout?.on('data', (chunk: Buffer) => (this.stdout += chunk.toString()));
    this.child.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    // Not `exit`: the last output may arrive after it.
    this.exitCode = once(this.child, 'close').then(([code]) => code as number | null);
  }

  get pid(): number {
    return this.child.pid as number;
  }

  /** Waits for the banner and parses it. */
  async banner(): Promise<Banner> {
    await waitUntil(() => this.stdout.includes('Ctrl-C') || this.child.exitCode !== null, {
      what: 'the banner',
      deadlineMs: 60_000,
    });
    const take = (pattern: RegExp): string => {
      const match = pattern.exec(this.stdout)?.[1];
      if (match === undefined) throw new Error(`no ${pattern} in:\n${this.stdout}${this.stderr}`);
      return match;
    };
    return {
      apiUrl: take(/^ +API +(\S+)$/m),
      key: take(/^ +Platform key +(\S+)$/m),
      natsUrl: take(/^ +NATS +(\S+) /m),
      receiverUrl: take(/^ +Demo receiver +(\S+)$/m),
      curl: {
        url: take(/^ +curl (\S+) /m),
        authorization: take(/-H 'authorization: ([^']+)'/),
        contentType: take(/-H 'content-type: ([^']+)'/),
        body: take(/-d '([^']+)'/),
      },
    };
  }

  /** Ends the process in any state. */
  async end(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.child.kill('SIGINT');
      await this.exitCode;
    }
  }
}

export interface Banner {
  apiUrl: string;
  key: string;
  natsUrl: string;
  receiverUrl: string;
  curl: { url: string; authorization: string; contentType: string; body: string };
}

/** Sends the request of the printed `curl`. */
export async function sendPrinted({ curl }: Banner): Promise<{ id: string }> {
  const response = await fetch(curl.url, {
    method: 'POST',
    headers: { authorization: curl.authorization, 'content-type': curl.contentType },
    body: curl.body,
  });
  if (response.status !== 202) throw new Error(`${response.status}: ${await response.text()}`);
  return (await response.json()) as { id: string };
}
