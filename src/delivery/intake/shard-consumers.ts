/** Consumes the shards that this worker owns: opens, closes and drains each shard's consumers. */
import type { JetStreamClient, JetStreamManager, JsMsg } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import type { Clock } from '#domain/clock.ts';
import type { AckFence } from '#infra/nats/consume/ack-fence.ts';
import { loopUtilization } from '#infra/loop-utilization.ts';
import type { RecordBatcher } from '#infra/nats/publish/record-batcher.ts';
import { ExclusiveConsumer } from '#infra/nats/consume/exclusive-consumer.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { withTimeout } from '#infra/with-timeout.ts';
import { consumers, shardOf, streams } from '#wire/subjects.ts';
import type { ActivationTable } from '../actors/activation-table.ts';
import { PacedIntake } from './paced-intake.ts';
import type { LaneController } from '../lanes/lane-controller.ts';
import type { Settler } from '../settlement/settle.ts';

/**
 * The consumers of a shard and how many messages each prefetches: fewest for retries, which can
 * wait best.
 */
const CONSUMERS = [
  { consumer: consumers.deliverHigh, ahead: 512, paced: false },
  { consumer: consumers.deliverShared, ahead: 512, paced: false },
  { consumer: consumers.deliverRepeats, ahead: 64, paced: true },
];
const DRAIN_POLL_MS = 10;

export interface ShardConsumersDeps {
  nc: NatsConnection;
  js: JetStreamClient;
  jsm: JetStreamManager;
  shards: number;
  table: Pick<ActivationTable, 'releaseUnstarted' | 'isIdle'>;
  settler: Pick<Settler, 'isStoring'>;
  lanes: Pick<LaneController, 'open' | 'close'>;
  records: Pick<RecordBatcher, 'drain'>;
  fence: Pick<AckFence, 'pass'>;
  onMessage: (message: JsMsg) => void;
  /** Whether this process owns the shard, by the lease's expiry. */
  owns: (shard: number) => boolean;
  /** How long in-flight deliveries and their records may take when a shard is released. */
  drainMs: number;
  log: Log;
  clock: Clock;
}

interface Stoppable {
  stop(): void;
}

export class ShardConsumers {
  private readonly deps: ShardConsumersDeps;
  /** By shard, the consumers and intakes that its latest opening started. */
  private readonly openings = new Map<number, Stoppable[]>();

  constructor(deps: ShardConsumersDeps) {
    this.deps = deps;
  }

  /**
   * Starts consuming a shard. At each await the lease may expire, be released, or even be acquired
   * again. An opening that is no longer the latest opens nothing more and leaves the latest one's
   * consumers alone. A pull without the lease would take messages and drop them, and they would be
   * redelivered only after their ack_wait.
   *
   * @returns whether the shard is open: this opening is still the latest, and was not closed
   * @throws if NATS does not answer
   */
  async open(shard: number): Promise<boolean> {
    const opened: Stoppable[] = [];
    this.openings.set(shard, opened);
    const isInForce = (): boolean => this.openings.get(shard) === opened;
    for (const settings of CONSUMERS) {
      await this.read(shard, settings, opened);
      if (!isInForce()) return false;
    }
    await this.deps.lanes.open(shard);
    return isInForce();
  }

  /** Stops consuming a shard and naks its deliveries that have not started. */
  close(shard: number): void {
    this.deps.lanes.close(shard);
    for (const part of this.openings.get(shard) ?? []) part.stop();
    this.openings.delete(shard);
    this.deps.table.releaseUnstarted(this.isIn(shard));
  }

  /**
   * Closes the shard, then waits until its in-flight deliveries have ended, their results are
   * stored, and the server has processed their acks.
   */
  async drain(shard: number): Promise<void> {
    this.close(shard);
    const deadline = this.deps.clock.monotonicMs() + this.deps.drainMs;
    const isIn = this.isIn(shard);
    const { table, settler } = this.deps;
    while (
      (!table.isIdle(isIn) || settler.isStoring(isIn)) &&
      this.deps.clock.monotonicMs() < deadline
    ) {
      await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
    }
    await withTimeout(
      Math.max(0, deadline - this.deps.clock.monotonicMs()),
      this.deps.records.drain(),
    );
    // All acks must have reached the server before the next owner resets the consumers.
    await this.deps.fence.pass(streams.deliveries(shard));
  }

  /**
   * Opens one consumer. Its parts are pushed to `opened` first, so that a close during the opening
   * stops them. Messages that a crashed worker had not acked are redelivered.
   */
  private async read(
    shard: number,
    { consumer, ahead, paced }: (typeof CONSUMERS)[number],
    opened: Stoppable[],
  ): Promise<void> {
    let { onMessage } = this.deps;
    if (paced) {
      const intake = this.pacedIntake();
      opened.push(intake);
      onMessage = (message) => intake.push(message);
    }
    const reader = new ExclusiveConsumer({
      ...this.deps,
      stream: streams.deliveries(shard),
      consumer,
      ahead,
      // In-flight and settled deliveries are de-duplicated by id.
      inOrder: false,
      owns: () => this.deps.owns(shard),
      onMessage,
      onDeleted: () => {},
    });
    opened.push(reader);
    await reader.open();
  }

  private pacedIntake(): PacedIntake<JsMsg> {
    const loop = { utilization: loopUtilization(), now: this.deps.clock.monotonicMs };
    return new PacedIntake({ take: this.deps.onMessage, loop });
  }

  private isIn(shard: number): (tenant: string) => boolean {
    return (tenant) => shardOf(tenant, this.deps.shards) === shard;
  }
}
