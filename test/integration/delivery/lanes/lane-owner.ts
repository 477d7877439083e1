import type { TestContext } from 'node:test';
import { type JsMsg, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { Registry } from 'prom-client';
import { systemClock } from '#infra/system-clock.ts';
import { newId } from '#domain/ids.ts';
import { LaneStore } from '#infra/nats/stores/lane-store.ts';
import { type LaneBroker, createLaneBroker } from '#src/delivery/lanes/lane-broker.ts';
import { LaneMetrics } from '#src/delivery/lanes/lane-metrics.ts';
import { LANE_RULES, type LaneRules } from '#src/delivery/lanes/lane-rules.ts';
import { ShardLanes } from '#src/delivery/lanes/shard-lanes.ts';
import type { TenantLoad } from '#src/delivery/lanes/tenant-demand.ts';
import { subjects } from '#wire/subjects.ts';
import { type NatsCore, log } from '../../nats-core.ts';

/** A tenant's load that qualifies for a lane. */
export const PRESSED: TenantLoad = { received: 100, congested: 100 };
/** For asynchronous work of an owner. */
export const SOON = { deadlineMs: 20_000, intervalMs: 10 };

/**
 * Publishes a delivery like a router that knows of the lane.
 *
 * @returns its text, which identifies it
 */
export async function publishToLane({ publisher }: NatsCore, tenant: string): Promise<string> {
  const text = `${tenant} ${newId('evt', Date.now())}`;
  await publisher.publishAsync({
    subject: subjects.delivery(tenant, 'ep_1', 't'),
    payload: Buffer.from(text),
    messageId: text,
    timeoutMs: 10_000,
  });
  return text;
}

/** The steps that change NATS; an owner can crash at each. */
export const STEPS = ['announce', 'withdraw', 'makeConsumer', 'removeConsumer', 'open'] as const;

export interface Death {
  /** The number of steps until the crash. */
  afterSteps: number;
  /** Whether the last of them still takes effect. */
  when: 'before' | 'after';
}

/** An owner of a shard's lanes, on its own connection, with a clock that the test moves. */
export class LaneOwner {
  readonly broker: LaneBroker;
  readonly lanes: ShardLanes;
  readonly store: LaneStore;
  /** The texts of the deliveries that it received and acked. */
  readonly settled: string[] = [];
  readonly held: JsMsg[] = [];
  readonly steps: string[] = [];
  isDead = false;
  private clockMs = 0;
  private readonly disconnect: () => Promise<void>;

  private constructor(parts: {
    broker: LaneBroker;
    store: LaneStore;
    rules: LaneRules;
    disconnect: () => Promise<void>;
    registry: Registry;
  }) {
    this.broker = parts.broker;
    this.store = parts.store;
    this.disconnect = parts.disconnect;
    this.lanes = new ShardLanes({
      shard: 0,
      broker: parts.broker,
      rules: parts.rules,
      metrics: new LaneMetrics(parts.registry),
      isOwner: () => true,
      now: () => this.clockMs,
      log,
    });
  }

  /** @param holds whether deliveries stay unacked until `ackHeld` */
  static async start(
    t: Pick<TestContext, 'after'>,
    core: NatsCore,
    options: {
      rules?: Partial<LaneRules>;
      death?: Death;
      holds?: boolean;
      registry?: Registry;
    } = {},
  ): Promise<LaneOwner> {
    const nc = await core.connect();
    const js = jetstream(nc);
    const jsm = await jetstreamManager(nc);
    const store = new LaneStore({ nc, log });
    await store.start();
    const real = createLaneBroker({
      clock: systemClock,
      nc,
      js,
      jsm,
      lanes: store,
      shard: 0,
      shards: 1,
      ackWaitMs: 30_000,
      owns: () => true,
      onMessage: (message) => owner.take(message, options.holds === true),
      log,
    });
    const broker = { ...real };
    const owner: LaneOwner = new LaneOwner({
      broker,
      store,
      rules: { ...LANE_RULES, ...options.rules },
      registry: options.registry ?? new Registry(),
      disconnect: async () => {
        store.stop();
        await nc.close();
      },
    });
    t.after(() => owner.stop());
    for (const step of STEPS) owner.watch(broker, step, options.death);
    return owner;
  }

  /** Runs one period, `seconds` after the last. */
  async advance(loads: Record<string, TenantLoad> = {}, seconds = 1): Promise<void> {
    this.clockMs += seconds * 1000;
    await this.lanes.advance(new Map(Object.entries(loads)), seconds);
  }

  ackHeld(): void {
    for (const message of this.held.splice(0)) this.ack(message);
  }

  async stop(): Promise<void> {
    this.lanes.close();
    await this.disconnect();
  }

  private take(message: JsMsg, holds: boolean): void {
    if (this.isDead) return;
    if (holds) this.held.push(message);
    else this.ack(message);
  }

  private ack(message: JsMsg): void {
    message.ack();
    this.settled.push(message.string());
  }

  private watch(broker: LaneBroker, step: (typeof STEPS)[number], death?: Death): void {
    const real = broker[step] as (...args: unknown[]) => Promise<unknown>;
    const watched = async (...args: unknown[]): Promise<unknown> => {
      if (this.isDead) throw new Error('dead');
      const isLast = death !== undefined && this.steps.length === death.afterSteps - 1;
      this.steps.push(step);
      if (isLast && death.when === 'before') await this.die();
      const result = await real(...args);
      if (isLast) await this.die();
      return result;
    };
    Object.assign(broker, { [step]: watched });
  }

  /** As by SIGKILL: does nothing more, and the connection is closed. */
  private async die(): Promise<never> {
    this.isDead = true;
    await this.disconnect();
    throw new Error('dead');
  }
}
