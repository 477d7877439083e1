/** The consumers of the shards that this worker owns, and how a shard is begun and ended. */
import type { JetStreamClient, JetStreamManager, JsMsg } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import type { AckFence } from '#infra/nats/consume/ack-fence.ts';
import { loopUtilization } from '#infra/loop-pace.ts';
import type { RecordGatherer } from '#infra/nats/publish/record-batcher.ts';
import { SoleReader } from '#infra/nats/consume/exclusive-consumer.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { within } from '#infra/within.ts';
import { consumers, shardOf, streams } from '#wire/subjects.ts';
import type { ActivationTable } from '../actors/activation-table.ts';
import { GentleIntake } from './paced-intake.ts';
import type { LaneKeeper } from '../lanes/lane-keeper.ts';
import type { Settler } from '../settlement/settle.ts';

/** The consumers of a shard, with how many messages are asked for ahead: few of what can wait best. */
const TAPS = [
  { consumer: consumers.deliverHigh, ahead: 512, gently: false },
  { consumer: consumers.deliverShared, ahead: 512, gently: false },
  { consumer: consumers.deliverAgain, ahead: 64, gently: true },
];
const DRAIN_POLL_MS = 10;

export interface ShardTapsDeps {
  nc: NatsConnection;
  js: JetStreamClient;
  jsm: JetStreamManager;
  shards: number;
  table: Pick<ActivationTable, 'handBack' | 'isIdle'>;
  settler: Pick<Settler, 'isStoring'>;
  lanes: Pick<LaneKeeper, 'open' | 'close'>;
  records: Pick<RecordGatherer, 'drain'>;
  fence: Pick<AckFence, 'pass'>;
  onMessage: (message: JsMsg) => void;
  /** Whether this process owns a shard, by the clock. */
  owns: (shard: number) => boolean;
  /** How long what is in flight, and its records, may take when a shard is given up. */
  drainMs: number;
  log: Log;
}

interface Stoppable {
  stop(): void;
}

export class ShardTaps {
  private readonly deps: ShardTapsDeps;
  /** By shard, what the opening in force has opened. */
  private readonly taps = new Map<number, Stoppable[]>();

  constructor(deps: ShardTapsDeps) {
    this.deps = deps;
  }

  /**
   * Begins to work on a shard. At each wait here its lease may be lost or given up, and even taken again: an
   * opening that is not the last one any more opens nothing further, and leaves what is of the last one alone. A pull
   * without the lease would take messages and let go of them, and they come again only after their ack_wait.
   *
   * @returns whether the shard is open: this opening is still the last one, and was not closed
   * @throws where NATS does not answer
   */
  async open(shard: number): Promise<boolean> {
    const opened: Stoppable[] = [];
    this.taps.set(shard, opened);
    const isInForce = (): boolean => this.taps.get(shard) === opened;
    for (const tap of TAPS) {
      await this.read(shard, tap, opened);
      if (!isInForce()) return false;
    }
    await this.deps.lanes.open(shard);
    return isInForce();
  }

  /** Takes no more from a shard, and gives back what has not been started. */
  close(shard: number): void {
    this.deps.lanes.close(shard);
    for (const tap of this.taps.get(shard) ?? []) tap.stop();
    this.taps.delete(shard);
    this.deps.table.handBack(this.isIn(shard));
  }

  /** The same, and waits until what is in flight there has ended, is stored, and its acks are taken. */
  async drain(shard: number): Promise<void> {
    this.close(shard);
    const deadline = performance.now() + this.deps.drainMs;
    const isIn = this.isIn(shard);
    const { table, settler } = this.deps;
    while ((!table.isIdle(isIn) || settler.isStoring(isIn)) && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
    }
    await within(Math.max(0, deadline - performance.now()), this.deps.records.drain());
    // The next owner resets the consumers.
    await this.deps.fence.pass(streams.deliveries(shard));
  }

  /** What it opens can be stopped while it is being opened. What a worker that died had in hand comes again. */
  private async read(
    shard: number,
    { consumer, ahead, gently }: (typeof TAPS)[number],
    opened: Stoppable[],
  ): Promise<void> {
    let { onMessage } = this.deps;
    if (gently) {
      const intake = this.gentleIntake();
      opened.push(intake);
      onMessage = (message) => intake.push(message);
    }
    const reader = new SoleReader({
      ...this.deps,
      stream: streams.deliveries(shard),
      consumer,
      ahead,
      // What is in hand, or was settled, is known by its id.
      inOrder: false,
      owns: () => this.deps.owns(shard),
      onMessage,
      onDeleted: () => {},
    });
    opened.push(reader);
    await reader.open();
  }

  private gentleIntake(): GentleIntake<JsMsg> {
    const loop = { utilization: loopUtilization(), now: () => performance.now() };
    return new GentleIntake({ take: this.deps.onMessage, loop });
  }

  private isIn(shard: number): (tenant: string) => boolean {
    return (tenant) => shardOf(tenant, this.deps.shards) === shard;
  }
}
