/**
 * The owner's side of the thread that renews leases; one per process. It shows the progress of this
 * event loop by a counter in shared memory, and starts the thread again if that ends. The new
 * thread receives the held leases and reads their revisions. Leases that expire before it does so
 * are lost by the clock, as in any process.
 *
 * Costs about 30 MB of memory and one connection to NATS.
 */
import { Worker } from 'node:worker_threads';
import { sharedClockOffsetMs } from '#infra/system-clock.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { NatsLogin } from '../login.ts';
import type { LeaseEnd } from './lease-clock.ts';
import type { LeaseNotice, LeaseRequest, LeaseWorkerData } from './lease-messages.ts';
import type { LeaseRenewer } from './lease-renewals.ts';
import { PROGRESS_EVERY_MS } from './owner-progress.ts';

const RESTART_MS = 500;
/** In MiB: the thread holds a connection and a few keys. */
const HEAP = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 4 };

export interface LeaseThreadDeps {
  url: string;
  /** Name of its connection to NATS. */
  name: string;
  login: NatsLogin;
  log: Log;
}

export class LeaseThread implements LeaseRenewer {
  readonly name = 'lease-thread';
  private readonly deps: LeaseThreadDeps;
  private readonly progress = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
  /** By key: the leases that a new thread has to renew. */
  private readonly renewed = new Map<string, LeaseRequest>();
  private readonly releases = new Map<number, (revision: number | undefined) => void>();
  private requests = 0;
  private worker: Worker | undefined;
  private connected: Promise<void> | undefined;
  private heart: NodeJS.Timeout | undefined;
  private restart: NodeJS.Timeout | undefined;

  constructor(deps: LeaseThreadDeps) {
    this.deps = deps;
  }

  /**
   * Starts the thread, in parallel with other starts, and resolves once it is connected. May be
   * called again.
   */
  start(): Promise<void> {
    this.connected ??= new Promise((resolve) => {
      const counter = new Int32Array(this.progress);
      this.heart = setInterval(() => Atomics.add(counter, 0, 1), PROGRESS_EVERY_MS);
      this.heart.unref();
      this.spawn(resolve);
    });
    return this.connected;
  }

  async stop(): Promise<void> {
    clearInterval(this.heart);
    clearTimeout(this.restart);
    const { worker } = this;
    this.worker = undefined;
    this.endReleases();
    await worker?.terminate();
  }

  keepAlive(key: string, value: string): void {
    this.renew(key, { kind: 'alive', key, value });
  }

  hold(key: string, value: string, revision: number, end: LeaseEnd): void {
    this.renew(key, { kind: 'hold', key, value, revision, end: end.memory });
  }

  release(key: string): Promise<number | undefined> {
    this.renewed.delete(key);
    if (this.worker === undefined) return Promise.resolve(undefined);
    const request = ++this.requests;
    return new Promise((resolve) => {
      this.releases.set(request, resolve);
      this.send({ kind: 'release', key, request });
    });
  }

  private renew(key: string, request: LeaseRequest): void {
    this.renewed.set(key, request);
    this.send(request);
  }

  private send(request: LeaseRequest): void {
    this.worker?.postMessage(request);
  }

  private spawn(onReady: () => void): void {
    const { url, name, login, log } = this.deps;
    const ownerOffsetMs = sharedClockOffsetMs();
    const data: LeaseWorkerData = { url, name, login, progress: this.progress, ownerOffsetMs };
    const worker = new Worker(new URL('lease-worker.ts', import.meta.url), {
      workerData: data,
      execArgv: [],
      resourceLimits: HEAP,
      name: 'leases',
    });
    this.worker = worker;
    worker.on('message', (notice: LeaseNotice) => this.take(notice, onReady));
    worker.on('error', (error) => log.error({ err: error }, 'placement.thread_failed'));
    worker.once('exit', () => {
      if (this.worker !== worker) return;
      this.worker = undefined;
      this.endReleases();
      this.restart = setTimeout(() => this.spawn(onReady), RESTART_MS);
      this.restart.unref();
    });
    // A failed start of another part must not wait for this one. A listener undoes an earlier
    // `unref`.
    worker.unref();
    for (const request of this.renewed.values()) this.send(request);
  }

  private take(notice: LeaseNotice, onReady: () => void): void {
    switch (notice.kind) {
      case 'ready':
        onReady();
        break;
      case 'released':
        this.releases.get(notice.request)?.(notice.revision);
        this.releases.delete(notice.request);
        break;
      case 'log':
        this.deps.log[notice.level](notice.facts, notice.name);
        break;
    }
  }

  /** Without a revision the owner does not delete the key, which then expires. */
  private endReleases(): void {
    for (const resolve of this.releases.values()) resolve(undefined);
    this.releases.clear();
  }
}
