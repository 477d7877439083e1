import {
  AckPolicy,
  type JetStreamClient,
  type JetStreamManager,
  type JsMsg,
} from '@nats-io/jetstream';
import { type NatsConnection, nanos } from '@nats-io/nats-core';
import type { Clock } from '#domain/clock.ts';
import { limits } from '#domain/limits.ts';
import { isLifeId } from '#domain/tenant.ts';
import type { LaneStore } from '#infra/nats/stores/lane-store.ts';
import { apiErrorCode, apiErrors } from '#infra/nats/api-errors.ts';
import { ExclusiveConsumer } from '#infra/nats/consume/exclusive-consumer.ts';
import type { Log } from '#infra/telemetry/log.ts';
import {
  consumers,
  parseDeliverySubject,
  shardOf,
  streams,
  subjects,
  tenantOfLane,
} from '#wire/subjects.ts';

/** Messages that a lane prefetches. */
const AHEAD = limits.laneUnackedMax / 2;

/**
 * A shard's lanes as NATS holds them, and the steps that change them. Each step may be repeated.
 */
export interface LaneBroker {
  /** The tenants whose lanes are announced to the routers. */
  announced(): Set<string>;
  announce(tenant: string): Promise<void>;
  withdraw(tenant: string): Promise<void>;
  /** Tenants that have a lane consumer, with its number of undelivered and unacked messages. */
  backlogs(): Promise<Map<string, number>>;
  /** Tenants with stored messages for their lane. */
  stored(): Promise<Set<string>>;
  makeConsumer(tenant: string): Promise<void>;
  removeConsumer(tenant: string): Promise<void>;
  /** Starts consuming a lane; messages that another worker had in flight are redelivered. */
  open(tenant: string, onDeleted: () => void): Promise<Pick<ExclusiveConsumer, 'stop'>>;
}

export interface LaneBrokerDeps {
  nc: NatsConnection;
  js: JetStreamClient;
  jsm: JetStreamManager;
  lanes: Pick<LaneStore, 'all' | 'announce' | 'withdraw'>;
  shard: number;
  shards: number;
  ackWaitMs: number;
  /** Whether this process owns the shard, by the lease's expiry. */
  owns: (shard: number) => boolean;
  onMessage: (message: JsMsg) => void;
  clock: Clock;
  log: Log;
}

/** Holds the lanes of one shard in JetStream: consumers of DLV-k and keys of the bucket LANES. */
export function createLaneBroker(deps: LaneBrokerDeps): LaneBroker {
  const { jsm, lanes, shard, shards } = deps;
  const stream = streams.deliveries(shard);
  // Keys written by hand may be anything.
  const isOurs = (id: string): boolean => isLifeId(id) && shardOf(id, shards) === shard;
  return {
    announced() {
      return new Set([...lanes.all()].filter(isOurs));
    },
    announce: (tenant) => lanes.announce(tenant),
    withdraw: (tenant) => lanes.withdraw(tenant),
    async backlogs() {
      const found = new Map<string, number>();
      for await (const info of jsm.consumers.list(stream)) {
        const tenant = tenantOfLane(info.name);
        if (tenant !== undefined) found.set(tenant, info.num_pending + info.num_ack_pending);
      }
      return found;
    },
    async stored() {
      const filter = { subjects_filter: subjects.lanesOfAll };
      const { state } = await jsm.streams.info(stream, filter);
      const found = Object.keys(state.subjects ?? {});
      return new Set(found.map((subject) => parseDeliverySubject(subject).tenant));
    },
    async makeConsumer(tenant) {
      await jsm.consumers.add(stream, {
        durable_name: consumers.lane(tenant),
        filter_subject: subjects.lane(tenant),
        ack_policy: AckPolicy.Explicit,
        ack_wait: nanos(deps.ackWaitMs),
        max_deliver: -1,
        max_ack_pending: limits.laneUnackedMax,
      });
    },
    async removeConsumer(tenant) {
      try {
        await jsm.consumers.delete(stream, consumers.lane(tenant));
      } catch (error) {
        if (apiErrorCode(error) !== apiErrors.consumerNotFound) throw error;
      }
    },
    async open(tenant, onDeleted) {
      const reader = new ExclusiveConsumer({
        ...deps,
        stream,
        consumer: consumers.lane(tenant),
        ahead: AHEAD,
        inOrder: false,
        owns: () => deps.owns(shard),
        onDeleted,
      });
      await reader.open();
      return reader;
    },
  };
}
