/**
 * Measures how many messages wait in JetStream, and for how long (OB-2), for each stream and each
 * of its consumers. Every process with the role control polls and reports the same figures.
 */
import type { ConsumerInfo, JetStreamManager, StreamState } from '@nats-io/jetstream';
import { Gauge, type Registry } from 'prom-client';
import type { Clock } from '#domain/clock.ts';
import { readLeases } from '#infra/nats/leases/read-leases.ts';
import { readBehind } from '#infra/nats/stores/behind-store.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { RepeatingFault } from '#infra/telemetry/repeating-fault.ts';
import type { Service } from '#infra/service.ts';
import { buckets, consumerKind, streams, subjects } from '#wire/subjects.ts';

const LOOK_EVERY_MS = 10_000;

export interface QueueMetricsDeps {
  jsm: JetStreamManager;
  shards: number;
  registry: Registry;
  /** Milliseconds since 1970 by the brokers' clock, which timestamps the messages. */
  brokerNow: () => number;
  log: Log;
  clock: Clock;
}

/** The remaining messages of a consumer; the lanes of a shard are added up. */
interface Backlog {
  pending: number;
  unacked: number;
  oldestMs: number;
}

export class QueueMetrics implements Service {
  readonly name = 'queue-metrics';
  private readonly deps: QueueMetricsDeps;
  private readonly fault: RepeatingFault;
  private readonly messages: Gauge<'stream'>;
  private readonly bytes: Gauge<'stream'>;
  private readonly bytesMax: Gauge<'stream'>;
  private readonly replayWindow: Gauge<'stream'>;
  private readonly pending: Gauge<'stream' | 'consumer'>;
  private readonly unacked: Gauge<'stream' | 'consumer'>;
  private readonly oldest: Gauge<'stream' | 'consumer'>;
  private readonly waiting: Gauge<'stream'>;
  private readonly behindTenants: Gauge<'stream'>;
  private readonly behindEvents: Gauge<'stream'>;
  private readonly behindOldest: Gauge<'stream'>;
  private readonly unowned: Gauge<'role'>;
  private readonly workers: Gauge<'role'>;
  private timer: NodeJS.Timeout | undefined;
  private polling: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(deps: QueueMetricsDeps) {
    this.deps = deps;
    this.fault = new RepeatingFault(deps.log, 'queue_metrics.look_failed', deps.clock.monotonicMs);
    const registers = [deps.registry];
    const ofStream = { labelNames: ['stream'] as const, registers };
    const ofConsumer = { labelNames: ['stream', 'consumer'] as const, registers };
    this.messages = new Gauge({
      name: 'posthorn_stream_messages',
      help: 'Messages in a stream.',
      ...ofStream,
    });
    this.bytes = new Gauge({
      name: 'posthorn_stream_bytes',
      help: 'Bytes in a stream.',
      ...ofStream,
    });
    this.bytesMax = new Gauge({
      name: 'posthorn_stream_bytes_max',
      help: 'Bytes that a stream may hold; absent if it has no bound.',
      ...ofStream,
    });
    this.replayWindow = new Gauge({
      name: 'posthorn_replay_window_seconds',
      help: 'Age of the oldest event in a stream of events: how far back events can be read again. 0 if there is none.',
      ...ofStream,
    });
    this.pending = new Gauge({
      name: 'posthorn_consumer_pending_messages',
      help: 'Messages that a consumer has not delivered yet.',
      ...ofConsumer,
    });
    this.unacked = new Gauge({
      name: 'posthorn_consumer_unacked_messages',
      help: 'Messages that a consumer has delivered and that are not acked.',
      ...ofConsumer,
    });
    this.oldest = new Gauge({
      name: 'posthorn_consumer_oldest_seconds',
      help: 'Age of the oldest message that a consumer has not finished, in seconds; 0 if there is none.',
      ...ofConsumer,
    });
    this.waiting = new Gauge({
      name: 'posthorn_deliveries_waiting',
      help: 'Deliveries of a shard that are not runnable: they wait for a retry, are parked or held, or are queued for an ordered endpoint.',
      ...ofStream,
    });
    this.behindTenants = new Gauge({
      name: 'posthorn_router_behind_tenants',
      help: 'Tenants whose events come faster than the router of their shard can route them.',
      ...ofStream,
    });
    this.behindEvents = new Gauge({
      name: 'posthorn_router_behind_events',
      help: 'Events of tenants that are behind, that are acked and not routed yet.',
      ...ofStream,
    });
    this.behindOldest = new Gauge({
      name: 'posthorn_router_behind_oldest_seconds',
      help: 'Age of the oldest such event, in seconds; 0 if there is none.',
      ...ofStream,
    });
    const ofRole = { labelNames: ['role'] as const, registers };
    this.unowned = new Gauge({
      name: 'posthorn_shards_unowned',
      help: 'Shards of a role that no process owns.',
      ...ofRole,
    });
    this.workers = new Gauge({
      name: 'posthorn_workers',
      help: 'Running processes of a role, by their leases.',
      ...ofRole,
    });
  }

  async start(): Promise<void> {
    this.polling = this.poll();
    await this.polling;
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.polling;
  }

  private async poll(): Promise<void> {
    try {
      for (let shard = 0; shard < this.deps.shards; shard++) {
        await this.measure(streams.events(shard), this.replayWindow);
        await this.measureBehind(shard);
        await this.measure(streams.records(shard));
        const runnable = await this.measure(streams.deliveries(shard));
        const stream = streams.deliveries(shard);
        this.waiting.set({ stream }, Math.max(0, runnable.messages - runnable.unfinished));
      }
      await this.measure(streams.deadLetters);
      await this.measure(`OBJ_${buckets.payloads}`);
      for (const role of ['router', 'delivery'] as const) await this.measureLeases(role);
    } catch (error) {
      // Stale figures would hide the failure.
      for (const gauge of [this.messages, this.bytes, this.waiting]) gauge.reset();
      for (const gauge of [this.bytesMax, this.replayWindow]) gauge.reset();
      for (const gauge of [this.pending, this.unacked, this.oldest]) gauge.reset();
      for (const gauge of [this.behindTenants, this.behindEvents, this.behindOldest]) gauge.reset();
      for (const gauge of [this.unowned, this.workers]) gauge.reset();
      this.fault.failed(error as Error);
    }
    if (this.stopped) return;
    this.timer = setTimeout(() => {
      this.polling = this.poll();
    }, LOOK_EVERY_MS);
    this.timer.unref();
  }

  /**
   * Measures one stream. @returns how many messages the stream holds, and how many of them its
   * consumers have not finished
   *
   * @param window set to the age of the oldest message
   */
  private async measure(
    stream: string,
    window?: Gauge<'stream'>,
  ): Promise<{ messages: number; unfinished: number }> {
    const { state, config } = await this.deps.jsm.streams.info(stream);
    this.messages.set({ stream }, state.messages);
    this.bytes.set({ stream }, state.bytes);
    if (config.max_bytes > 0) this.bytesMax.set({ stream }, config.max_bytes);
    else this.bytesMax.remove({ stream });
    window?.set({ stream }, this.ageSeconds(state));
    const backlogs = new Map<string, Backlog>();
    for await (const info of this.deps.jsm.consumers.list(stream)) {
      const kind = consumerKind(info.name);
      const known = backlogs.get(kind) ?? { pending: 0, unacked: 0, oldestMs: 0 };
      backlogs.set(kind, {
        pending: known.pending + info.num_pending,
        unacked: known.unacked + info.num_ack_pending,
        oldestMs: Math.max(known.oldestMs, await this.oldestMs(stream, info)),
      });
    }
    let unfinished = 0;
    for (const [consumer, { pending, unacked, oldestMs }] of backlogs) {
      this.pending.set({ stream, consumer }, pending);
      this.unacked.set({ stream, consumer }, unacked);
      this.oldest.set({ stream, consumer }, oldestMs / 1000);
      unfinished += pending + unacked;
    }
    return { messages: state.messages, unfinished };
  }

  /** Their events are acked, so the router's consumer does not count them. */
  private async measureBehind(shard: number): Promise<void> {
    const stream = streams.events(shard);
    const behind = Object.entries((await readBehind(this.deps.jsm, shard))?.state?.tenants ?? {});
    let events = 0;
    let oldestMs = 0;
    for (const [tenant, { from, waiting }] of behind) {
      events += waiting;
      if (waiting === 0) continue;
      oldestMs = Math.max(oldestMs, await this.ageMs(stream, from, subjects.eventsOf(tenant)));
    }
    this.behindTenants.set({ stream }, behind.length);
    this.behindEvents.set({ stream }, events);
    this.behindOldest.set({ stream }, oldestMs / 1000);
  }

  private ageSeconds({ messages, first_ts }: StreamState): number {
    if (messages === 0) return 0;
    return Math.max(0, this.deps.brokerNow() - Date.parse(first_ts)) / 1000;
  }

  private async measureLeases(role: 'router' | 'delivery'): Promise<void> {
    const { workers, owners } = await readLeases(this.deps.jsm, role);
    this.workers.set({ role }, workers.length);
    this.unowned.set({ role }, this.deps.shards - owners.size);
  }

  private async oldestMs(stream: string, info: ConsumerInfo): Promise<number> {
    if (info.num_pending + info.num_ack_pending === 0) return 0;
    const filter = info.config.filter_subject ?? '>';
    return this.ageMs(stream, info.ack_floor.stream_seq + 1, filter);
  }

  /** Age of the first message of some subjects from a sequence on; 0 if there is none. */
  private async ageMs(stream: string, seq: number, next_by_subj: string): Promise<number> {
    const message = await this.deps.jsm.direct.getMessage(stream, { seq, next_by_subj });
    if (message === null) return 0;
    return Math.max(0, this.deps.brokerNow() - message.time.getTime());
  }
}
