/** The router plane: events in, one delivery for each matching endpoint out. */
import type { ConsumerMessages, JetStreamClient } from '@nats-io/jetstream';
import type { Registry } from 'prom-client';
import type { Settings } from '#config/schema.ts';
import { parseFanOutDelays } from '#domain/fan-out-delay.ts';
import { consume } from '#infra/nats/consume.ts';
import type { Publisher } from '#infra/nats/publisher.ts';
import type { RecordGatherer } from '#infra/nats/record-gatherer.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { Service } from '#src/app/service.ts';
import type { ConfigView } from '#wire/config-snapshot.ts';
import type { LaneView } from '#wire/lane-view.ts';
import { consumers, streams } from '#wire/subjects.ts';
import { Router } from './router.ts';

const AHEAD = 512;

export interface RouterDeps {
  settings: Settings;
  js: JetStreamClient;
  config: ConfigView;
  lanes: LaneView;
  refreshTenant: (tenant: string) => Promise<void>;
  publisher: Publisher;
  records: RecordGatherer;
  registry: Registry;
  log: Log;
}

export function createRouter(deps: RouterDeps): Service {
  const { settings, js, log } = deps;
  const fanOutDelays = parseFanOutDelays(settings.POSTHORN_FANOUT_DELAYS_SECONDS);
  const router = new Router({ ...deps, fanOutDelays, now: Date.now });
  const taps: ConsumerMessages[] = [];
  return {
    name: 'router',
    async start() {
      router.start();
      for (let shard = 0; shard < settings.POSTHORN_SHARDS; shard++) {
        taps.push(
          await consume({
            js,
            stream: streams.events(shard),
            consumer: consumers.router,
            ahead: AHEAD,
            onMessage: (message) => router.take(message),
            log,
          }),
        );
      }
    },
    async stop(deadlineMs) {
      for (const tap of taps) tap.stop();
      await router.drain(deadlineMs);
    },
  };
}
