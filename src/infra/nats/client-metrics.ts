import type { NatsConnection } from '@nats-io/nats-core';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { BrokerClock } from './broker-clock.ts';
import type { Publisher } from './publish/publisher.ts';

export interface NatsClientMetricsDeps {
  registry: Registry;
  publisher: Pick<Publisher, 'inFlight' | 'isConnected'>;
  ingressPublisher: Pick<Publisher, 'inFlight'>;
  brokerClock: Pick<BrokerClock, 'roundTripMs'>;
}

/**
 * Exports the health of the process's connection to NATS (OB-2). Called once, while it is
 * connected. The connection of the lease thread has its own state, shown by
 * `posthorn_shards_unowned`.
 */
export function watchNats(nc: NatsConnection, deps: NatsClientMetricsDeps): void {
  const { publisher, ingressPublisher, brokerClock } = deps;
  const registers = [deps.registry];
  const up: Gauge = new Gauge({
    name: 'posthorn_nats_up',
    help: '1 while the process is connected to NATS, else 0.',
    registers,
    collect: (): void => up.set(publisher.isConnected ? 1 : 0),
  });
  const pending: Gauge = new Gauge({
    name: 'posthorn_nats_pending_publications',
    help: 'Messages sent to JetStream, or to be sent again, that it has not acknowledged.',
    registers,
    collect: (): void => pending.set(publisher.inFlight + ingressPublisher.inFlight),
  });
  const roundTrip: Gauge = new Gauge({
    name: 'posthorn_nats_round_trip_seconds',
    help: 'Fastest of three requests to JetStream, every 30 s.',
    registers,
    collect: (): void => {
      const { roundTripMs } = brokerClock;
      if (roundTripMs === undefined) roundTrip.remove();
      else roundTrip.set(roundTripMs / 1000);
    },
  });
  const reconnects = new Counter({
    name: 'posthorn_nats_reconnects_total',
    help: 'Connections to NATS after the first one.',
    registers,
  });
  void countReconnects(nc, reconnects);
}

async function countReconnects(nc: NatsConnection, reconnects: Counter): Promise<void> {
  for await (const status of nc.status()) if (status.type === 'reconnect') reconnects.inc();
}
