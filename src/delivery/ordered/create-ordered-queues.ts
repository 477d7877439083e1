import type { JetStreamManager } from '@nats-io/jetstream';
import type { KV } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/nats-core';
import type { Clock } from '#domain/clock.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { ConfigView } from '#wire/config-snapshot.ts';
import type { InFlightDelivery } from '../intake/in-flight-delivery.ts';
import { HeadEndpoints } from './head-endpoints.ts';
import { OrderedQueues } from './ordered-queues.ts';
import { NatsQueueStore } from './queue-store.ts';

export interface OrderedParts {
  nc: NatsConnection;
  jsm: JetStreamManager;
  config: ConfigView;
  /** The bucket ORDERED. */
  ordered: KV;
  shards: number;
  /** The brokers' clock, which retry times use. */
  brokerNow: () => number;
  clock: Clock;
  dispatch: (delivery: InFlightDelivery) => void;
  log: Log;
}

/** Creates the queues of ordered endpoints on NATS and the configuration (DL-16). */
export function createOrderedQueues(parts: OrderedParts): OrderedQueues {
  const { nc, jsm, config, ordered, shards, brokerNow, clock, dispatch, log } = parts;
  const endpoints = new HeadEndpoints(config);
  return new OrderedQueues({
    nc,
    store: new NatsQueueStore({ jsm, ordered, shards }),
    dispatch,
    endpoint: (tenant, id) => endpoints.get(tenant, id),
    now: brokerNow,
    clock,
    log,
  });
}
