import {
  AckPolicy,
  type JetStreamClient,
  type JetStreamManager,
  type JsMsg,
} from '@nats-io/jetstream';
import { type NatsConnection, nanos } from '@nats-io/nats-core';
import { limits } from '#domain/limits.ts';
import { isLifeId } from '#domain/tenant.ts';
import type { LaneStore } from '#infra/nats/stores/lane-store.ts';
import { apiErrorCode, apiErrors } from '#infra/nats/api-errors.ts';
import { SoleReader } from '#infra/nats/consume/exclusive-consumer.ts';
import type { Log } from '#infra/telemetry/log.ts';
import {
  consumers,
  parseDeliverySubject,
  shardOf,
  streams,
  subjects,
  tenantOfLane,
} from '#wire/subjects.ts';

/** Asked for ahead by a lane. */
const AHEAD = limits.laneInHandMax / 2;

/** What NATS holds of a shard's lanes, and the steps that change it. Each step may be repeated. */
export interface LaneBroker {
  /** The tenants that routers are told to have a lane. */
  announced(): Set<string>;
  announce(tenant: string): Promise<void>;
  withdraw(tenant: string): Promise<void>;
  /** Tenants that have a consumer, with what it still owes: not given yet, or not acked. */
  backlogs(): Promise<Map<string, number>>;
  /** Tenants for whose lane something is stored. */
  stored(): Promise<Set<string>>;
  makeConsumer(tenant: string): Promise<void>;
  removeConsumer(tenant: string): Promise<void>;
  /** Begins to take from a lane; what another worker had in hand comes again. */
  open(tenant: string, onDeleted: () => void): Promise<Pick<SoleReader, 'stop'>>;
}

export interface LaneBrokerDeps {
  nc: NatsConnection;
  js: JetStreamClient;
  jsm: JetStreamManager;
  lanes: Pick<LaneStore, 'all' | 'announce' | 'withdraw'>;
  shard: number;
  shards: number;
  ackWaitMs: number;
  /** Whether this process owns a shard, by the clock. */
  owns: (shard: number) => boolean;
  onMessage: (message: JsMsg) => void;
  log: Log;
}

/** The lanes of one shard on JetStream: consumers of DLV-k and keys of the bucket LANES. */
export function createLaneBroker(deps: LaneBrokerDeps): LaneBroker {
  const { jsm, lanes, shard, shards } = deps;
  const stream = streams.deliveries(shard);
  // Keys that somebody wrote by hand may be anything.
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
        max_ack_pending: limits.laneInHandMax,
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
      const reader = new SoleReader({
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
