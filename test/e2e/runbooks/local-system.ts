import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { findFreePort } from '#src/embedded/free-port.ts';
import { commandLine } from '#src/embedded/stale-server.ts';
import { childrenOf } from '../../kit/processes/child-processes.ts';
import { untilStopped } from '#testkit/processes/pause-process.ts';
import { makeTempDir, type TempDir } from '#testkit/temp-dir.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { WebhookReceiver } from '#testkit/webhook-receiver.ts';
import { type Banner, PosthornProcess } from '../posthorn-process.ts';

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));
const DEADLINE_MS = 45_000;
/** A healthy process answers every request sooner. */
const ANSWER_MS = 10_000;

export interface Answer {
  status: number;
  body: Record<string, unknown>;
}

/** The private port of a process, as read by an operator. */
export class PrivatePort {
  readonly port: number;

  constructor(port: number) {
    this.port = port;
  }

  get(path: string): Promise<Response> {
    const signal = AbortSignal.timeout(ANSWER_MS);
    return fetch(`http://127.0.0.1:${this.port}${path}`, { signal });
  }

  /** The sum of the series of a metric whose labels contain this text; -1 if there is none. */
  async metric(name: string, labels = ''): Promise<number> {
    const lines = (await (await this.get('/metrics')).text()).split('\n');
    const values = lines
      .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
      .filter((line) => line.includes(labels))
      .map((line) => Number(line.slice(line.lastIndexOf(' '))));
    return values.length === 0 ? -1 : values.reduce((sum, value) => sum + value, 0);
  }

  async until(isSo: (value: number) => boolean, name: string, labels = ''): Promise<void> {
    await waitUntil(async () => isSo(await this.metric(name, labels)), {
      what: `${name}{${labels}} as it should be`,
      deadlineMs: DEADLINE_MS,
      intervalMs: 100,
    });
  }

  above(bound: number, name: string, labels = ''): Promise<void> {
    return this.until((value) => value > bound, name, labels);
  }

  async ready(): Promise<void> {
    const isReady = async () => (await this.get('/readyz').catch(() => undefined))?.status === 200;
    await waitUntil(isReady, { what: 'ready', deadlineMs: DEADLINE_MS, intervalMs: 100 });
  }
}

/** Delays of this many retries, a second each. */
export const secondly = (retries: number): number[] => Array.from({ length: retries }, () => 1);

/** `npm start` and a receiver, broken and repaired by the steps of docs/operations/runbooks. */
export class LocalSystem extends PrivatePort {
  readonly receiver: WebhookReceiver;
  readonly dir: TempDir;
  readonly start: PosthornProcess;
  private readonly banner: Banner;
  private readonly others: ChildProcess[] = [];

  private constructor(opsPort: number, made: Made) {
    super(opsPort);
    this.receiver = made.receiver;
    this.dir = made.dir;
    this.start = made.start;
    this.banner = made.banner;
  }

  static async run(): Promise<LocalSystem> {
    const dir = await makeTempDir();
    const opsPort = await findFreePort();
    const receiver = await WebhookReceiver.start();
    const start = new PosthornProcess(dir.path, {
      POSTHORN_OPS_PORT: String(opsPort),
      POSTHORN_PUBLISH_TIMEOUT_MS: '500',
      POSTHORN_PROBE_INTERVAL_MS: '1000',
    });
    try {
      const banner = await start.banner();
      return new LocalSystem(opsPort, { dir, receiver, start, banner });
    } catch (error) {
      await end({ start, receiver, dir });
      throw error;
    }
  }

  async stop(): Promise<void> {
    await this.endOthers();
    await end(this);
  }

  /** Ends the processes of `another`: the process of `npm start` then owns all shards again. */
  async endOthers(): Promise<void> {
    for (const other of this.others.splice(0)) {
      const ended = once(other, 'exit');
      if (other.exitCode === null && other.kill('SIGTERM')) await ended;
    }
  }

  /** The log of all processes. */
  get log(): string {
    return this.start.stdout + this.start.stderr;
  }

  /**
   * Waits for a line in the log. It arrives through a pipe, and may be read after a response that
   * was sent later.
   */
  async logged(line: RegExp): Promise<void> {
    await waitUntil(() => line.test(this.log), {
      what: `the log has ${line}`,
      deadlineMs: DEADLINE_MS,
    });
  }

  /** The child of `npm start` whose command line contains this text. */
  pidOf(text: string): number {
    const pid = childrenOf(this.start.pid).find((child) => commandLine(child)?.includes(text));
    assert.ok(pid !== undefined, `no ${text} runs`);
    return pid;
  }

  /** Stops a process for the duration of `during`, as if its machine hung. */
  async whileHanging(pid: number, during: () => Promise<void>): Promise<void> {
    process.kill(pid, 'SIGSTOP');
    try {
      await untilStopped(pid);
      await during();
    } finally {
      process.kill(pid, 'SIGCONT');
    }
  }

  /** The settings of the role process, in the form of `env $(…)` on the pages. */
  settings(): Record<string, string> {
    const environ = readFileSync(`/proc/${this.pidOf('--roles')}/environ`, 'utf8').split('\0');
    const settings = environ.filter((line) => line.startsWith('POSTHORN_'));
    return Object.fromEntries(settings.map((line) => line.split(/=(.*)/s, 2) as [string, string]));
  }

  /**
   * Starts another process with these roles as in runbooks/README.md. Resolves once it is ready.
   */
  async another(roles: string): Promise<AnotherProcess> {
    const [opsPort, httpPort] = [await findFreePort(), await findFreePort()];
    const child = spawn(process.execPath, [MAIN, 'run', '--roles', roles], {
      env: {
        ...process.env,
        ...this.settings(),
        POSTHORN_OPS_PORT: String(opsPort),
        POSTHORN_HTTP_PORT: String(httpPort),
      },
      stdio: 'ignore',
    });
    this.others.push(child);
    const port = new PrivatePort(opsPort);
    await port.ready();
    const end = async (): Promise<void> => {
      const ended = once(child, 'exit');
      if (child.exitCode === null && child.kill('SIGTERM')) await ended;
    };
    return Object.assign(port, { apiUrl: `http://127.0.0.1:${httpPort}`, end });
  }

  /** @param at URL of the API; absent: that of the process of `npm start` */
  async api(method: string, path: string, body?: object, at?: string): Promise<Answer> {
    const type = { 'content-type': 'application/json' };
    const response = await fetch((at ?? this.banner.apiUrl) + path, {
      method,
      headers: { authorization: `Bearer ${this.banner.key}`, ...(body === undefined ? {} : type) },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    const text = await response.text();
    return {
      status: response.status,
      body: text === '' ? {} : (JSON.parse(text) as object as Answer['body']),
    };
  }

  publish(tenant: string, type: string, id: string, at?: string): Promise<Answer> {
    return this.api('POST', `/v1/tenants/${tenant}/events`, { type, id, data: {} }, at);
  }

  /** Creates a tenant with one endpoint; returns the path of the endpoint. */
  async endpoint(tenant: string, url: string, delaysSeconds = secondly(1)): Promise<string> {
    await this.api('PUT', `/v1/tenants/${tenant}`, {});
    const made = await this.api('POST', `/v1/tenants/${tenant}/endpoints`, {
      url,
      retry: { delays_seconds: delaysSeconds },
    });
    assert.equal(made.status, 201, JSON.stringify(made.body));
    return `/v1/tenants/${tenant}/endpoints/${String(made.body['id'])}`;
  }

  /** Waits until the list has this length; returns the list. */
  async list(path: string, length: number): Promise<Record<string, unknown>[]> {
    const list = async () => (await this.api('GET', path)).body['data'] as Answer['body'][];
    const full = async () => {
      const found = await list();
      return found.length === length && found;
    };
    const what = `${length} of ${path}`;
    return await waitUntil(full, { what, deadlineMs: DEADLINE_MS, intervalMs: 100 });
  }
}

export interface AnotherProcess extends PrivatePort {
  readonly apiUrl: string;
  /** Sends SIGTERM; resolves at the end of the process. */
  readonly end: () => Promise<void>;
}

interface Made {
  dir: TempDir;
  receiver: WebhookReceiver;
  start: PosthornProcess;
  banner: Banner;
}

async function end({ start, receiver, dir }: Omit<Made, 'banner'>): Promise<void> {
  await start.end();
  await receiver.close();
  await dir.remove();
}
