/**
 * Refuses new events before JetStream is full, so that the deliveries and retries of accepted
 * events always have room (ADR 0034). Polls the account's storage, and the records' streams: a full
 * one would stop the deliveries that wait for their records.
 *
 * Between two polls the gate adds what this process publishes, each event once more for a delivery:
 * a small storage may be filled within a second.
 *
 * Between the two marks the last decision stays, so that publishing does not flap. Where NATS does
 * not answer, the decision stays too: publishing then fails by itself.
 */
import type { JetStreamManager } from '@nats-io/jetstream';
import { Gauge, type Registry } from 'prom-client';
import type { Clock } from '#domain/clock.ts';
import { PosthornError } from '#domain/errors.ts';
import { storageMarks } from '#domain/storage-shares.ts';
import { isServerFull } from '#infra/nats/api-errors.ts';
import {
  type StorageSettings,
  type StorageUsage,
  fillOf,
  readStorageUsage,
} from '#infra/nats/streams/storage-usage.ts';
import type { Service } from '#infra/service.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { RepeatingFault } from '#infra/telemetry/repeating-fault.ts';
import { subjects } from '#wire/subjects.ts';

const POLL_EVERY_MS = 2000;
/** Room comes back within minutes: by expiry, by purges, or by hand. */
const RETRY_AFTER_SECONDS = 10;

export interface StorageGateDeps {
  jsm: JetStreamManager;
  settings: StorageSettings;
  registry: Registry;
  clock: Clock;
  log: Log;
  pollEveryMs?: number;
}

export class StorageGate implements Service {
  readonly name = 'storage-gate';
  private readonly deps: StorageGateDeps;
  private readonly fault: RepeatingFault;
  private readonly used: Gauge;
  private readonly refusing: Gauge;
  private isFull = false;
  private usage: StorageUsage = { bytes: 0, bytesMax: undefined };
  private timer: NodeJS.Timeout | undefined;
  private polling: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(deps: StorageGateDeps) {
    this.deps = deps;
    this.fault = new RepeatingFault(deps.log, 'ingress.storage_unknown', deps.clock.monotonicMs);
    const registers = [deps.registry];
    this.used = new Gauge({
      name: 'posthorn_ingress_storage_used_ratio',
      help: 'Used share of the storage of JetStream, or of the fullest stream of records if that is more; 0 if it has no bound.',
      registers,
    });
    this.refusing = new Gauge({
      name: 'posthorn_ingress_storage_refusing',
      help: '1 while this process refuses events because the storage of JetStream is almost full.',
      registers,
    });
  }

  async start(): Promise<void> {
    this.polling = this.poll();
    await this.polling;
    this.schedule();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.polling;
  }

  /** @throws PosthornError POSTHORN_STORAGE_FULL */
  check(): void {
    if (this.isFull) throw storageFull();
  }

  /** Takes note that an event of this size is published. */
  notePublication(bytes: number): void {
    this.usage.bytes += 2 * bytes;
    const fill = fillOf(this.usage);
    if (fill >= storageMarks.refuseFrom) this.set(true, { used_ratio: fill });
  }

  /**
   * Takes note that JetStream refused a message. Where the server or the account is full, all
   * events are refused until the next poll; a full stream refuses its own.
   */
  noteRefusal(error: unknown): void {
    if (isServerFull(error)) this.set(true, { error: (error as Error).message });
  }

  private schedule(): void {
    if (this.stopped) return;
    this.timer = setTimeout(() => {
      this.polling = this.poll().finally(() => this.schedule());
    }, this.deps.pollEveryMs ?? POLL_EVERY_MS);
    this.timer.unref();
  }

  private async poll(): Promise<void> {
    const { jsm, settings } = this.deps;
    try {
      this.usage = await readStorageUsage(jsm, settings);
      const fills = [fillOf(this.usage)];
      for await (const { state, config } of jsm.streams.list(subjects.records('*'))) {
        fills.push(fillOf({ bytes: state.bytes, bytesMax: config.max_bytes }));
      }
      const fill = Math.max(...fills);
      this.used.set(fill);
      if (fill >= storageMarks.refuseFrom) this.set(true, { used_ratio: fill });
      else if (fill < storageMarks.acceptBelow) this.set(false, { used_ratio: fill });
    } catch (error) {
      this.fault.failed(error as Error);
    }
  }

  private set(isFull: boolean, facts: Readonly<Record<string, unknown>>): void {
    if (isFull && !this.isFull) this.deps.log.error(facts, 'ingress.storage_full');
    if (!isFull && this.isFull) this.deps.log.info(facts, 'ingress.storage_has_room');
    this.isFull = isFull;
    this.refusing.set(isFull ? 1 : 0);
  }
}

/** The answer to an event that finds no room; a retry is accepted once there is room again. */
export function storageFull(cause?: unknown): PosthornError {
  return new PosthornError('POSTHORN_STORAGE_FULL', {
    retryAfterSeconds: RETRY_AFTER_SECONDS,
    ...(cause === undefined ? {} : { cause }),
  });
}
