/**
 * Recreates streams, buckets and shared consumers that were removed while the system runs. Checks
 * every 5 s, and logs each missing one.
 *
 * A consumer of a stream that keeps its messages (events, records, dead letters) is recreated from
 * its ack floor at the last check. Messages stored since then are not skipped, and those processed
 * since then are processed again: deliveries have computed ids, which the server knows for 2
 * minutes, and the history merges. A consumer of a work queue is recreated from the start, where
 * only the messages still owed remain.
 *
 * Every process may do this concurrently: the first one creates the object, and the others find it.
 * The messages of a removed stream are lost; control writes the configuration again.
 */
import { DeliverPolicy, type JetStreamClient, type JetStreamManager } from '@nats-io/jetstream';
import type { StreamSettings } from '#config/sections.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { apiErrorCode, apiErrors } from '../api-errors.ts';
import { type SharedConsumer, allStreams, ensureStreams, sharedConsumers } from './streams.ts';

const CHECK_EVERY_MS = 5000;

export interface TopologyReconcilerDeps {
  js: JetStreamClient;
  jsm: JetStreamManager;
  settings: StreamSettings;
  /** Whether this process checks a consumer: those that it reads. */
  reads: (consumer: SharedConsumer) => boolean;
  log: Log;
  checkEveryMs?: number;
}

/** The ack floor of a consumer at a check. */
interface Floor {
  /** Every message up to this sequence is acked. */
  seq: number;
  /** By the brokers' clock, milliseconds since 1970. */
  seenMs: number;
}

export class TopologyReconciler {
  private readonly deps: TopologyReconcilerDeps;
  private readonly streams: string[];
  private readonly consumers = new Map<string, SharedConsumer[]>();
  /** By stream and consumer. */
  private readonly floors = new Map<string, Floor>();
  private timer: NodeJS.Timeout | undefined;
  private reconciling: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(deps: TopologyReconcilerDeps) {
    this.deps = deps;
    this.streams = allStreams(deps.settings.shards);
    for (const consumer of sharedConsumers(deps.settings)) {
      if (!deps.reads(consumer)) continue;
      const known = this.consumers.get(consumer.stream) ?? [];
      this.consumers.set(consumer.stream, [...known, consumer]);
    }
  }

  /** Resolves after the first check: from then on it knows the ack floors. */
  async start(): Promise<void> {
    this.reconciling = this.reconcile();
    await this.reconciling;
    this.schedule();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.reconciling;
  }

  private schedule(): void {
    if (this.stopped) return;
    this.timer = setTimeout(() => {
      this.reconciling = this.reconcile().finally(() => this.schedule());
    }, this.deps.checkEveryMs ?? CHECK_EVERY_MS);
    this.timer.unref();
  }

  private async reconcile(): Promise<void> {
    try {
      const { js, jsm, settings, log } = this.deps;
      const there = new Set<string>();
      for await (const name of jsm.streams.names()) there.add(name);
      for (const [stream, wanted] of this.consumers) {
        // A recreated stream counts from 1 again.
        if (!there.has(stream)) this.forget(stream);
        else if (!this.stopped) await this.reconcileConsumers(stream, wanted);
      }
      const missing = this.streams.filter((name) => !there.has(name));
      if (missing.length === 0 || this.stopped) return;
      // Not their consumers: the processes that read them know their floors best, and check again
      // soon.
      await ensureStreams(js, jsm, settings);
      log.error({ streams: missing }, 'nats.streams_made_again');
    } catch (error) {
      // NATS is down, or has no leader: the state of the topology is unknown.
      this.deps.log.warn({ error: (error as Error).message }, 'nats.topology_not_read');
    }
  }

  private async reconcileConsumers(stream: string, wanted: SharedConsumer[]): Promise<void> {
    const there = new Set<string>();
    for await (const { name, ack_floor, ts } of this.deps.jsm.consumers.list(stream)) {
      there.add(name);
      this.floors.set(key(stream, name), {
        seq: ack_floor.stream_seq,
        seenMs: Date.parse(ts ?? ''),
      });
    }
    for (const consumer of wanted) {
      if (!there.has(consumer.config.durable_name)) await this.recreate(consumer);
    }
  }

  private async recreate({ stream, config }: SharedConsumer): Promise<void> {
    const { jsm, log } = this.deps;
    // In a cluster the list may omit a consumer whose leader does not answer.
    if (!(await isMissing(jsm, stream, config.durable_name))) return;
    const floor = this.floors.get(key(stream, config.durable_name));
    const { config: streamConfig, created } = await jsm.streams.info(stream);
    // A work queue accepts no other start than its first message, and needs none.
    const resumes = floor !== undefined && streamConfig.retention === 'limits';
    // A stream that was recreated since the last check counts from 1 again.
    const fromSeq = resumes && Date.parse(created) < floor.seenMs ? floor.seq + 1 : 1;
    const start = { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: fromSeq };
    await jsm.consumers.add(stream, fromSeq > 1 ? { ...config, ...start } : config);
    const facts = { stream, consumer: config.durable_name, from_seq: fromSeq };
    log.error(facts, 'nats.consumer_made_again');
  }

  private forget(stream: string): void {
    for (const known of this.floors.keys()) {
      if (known.startsWith(key(stream, ''))) this.floors.delete(known);
    }
  }
}

async function isMissing(jsm: JetStreamManager, stream: string, name: string): Promise<boolean> {
  try {
    await jsm.consumers.info(stream, name);
    return false;
  } catch (error) {
    if (apiErrorCode(error) === apiErrors.consumerNotFound) return true;
    throw error;
  }
}

function key(stream: string, consumer: string): string {
  return `${stream}/${consumer}`;
}
