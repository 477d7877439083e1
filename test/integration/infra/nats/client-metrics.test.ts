import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import { systemClock } from '#infra/system-clock.ts';
import { BrokerClock } from '#infra/nats/broker-clock.ts';
import { watchNats } from '#infra/nats/client-metrics.ts';
import { connectNats } from '#infra/nats/connection.ts';
import { Publisher } from '#infra/nats/publish/publisher.ts';
import { createLog } from '#infra/telemetry/log.ts';
import { RestartableServer } from '#testkit/restartable-server.ts';
import { startNatsServer } from '#testkit/servers.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { metricValue } from '../../metric-value.ts';

test('a connection is down while its server is, and each reconnect is counted', async (t) => {
  const server = new RestartableServer(await startNatsServer());
  t.after(() => server.dispose());
  const log = createLog('silent');
  const nc = await connectNats(server.url, 'test', log);
  t.after(() => nc.close());
  const clock = systemClock;
  const publisher = new Publisher({ nc, window: 10, clock, log });
  t.after(() => publisher.close());
  const brokerClock = new BrokerClock({ read: async () => Date.now(), clock, log });
  await brokerClock.start();
  t.after(() => brokerClock.stop());
  const registry = new Registry();
  watchNats(nc, { registry, publisher, ingressPublisher: { inFlight: 2 }, brokerClock });
  const metric = (name: string): Promise<number> => metricValue(registry, `posthorn_nats_${name}`);
  assert.equal(await metric('up'), 1);
  assert.equal(await metric('reconnects_total'), 0);
  assert.match(await registry.metrics(), /^posthorn_nats_round_trip_seconds [\d.e-]+$/m);
  await server.kill();
  await waitUntil(async () => (await metric('up')) === 0);
  const publication = {
    subject: 'nobody.reads',
    payload: Buffer.from('x'),
    messageId: 'm1',
    timeoutMs: 60_000,
  };
  publisher.publish(publication, () => undefined);
  assert.equal(await metric('pending_publications'), 3);
  await server.restart();
  await waitUntil(async () => (await metric('reconnects_total')) === 1);
  assert.equal(await metric('up'), 1);
});

test('the round trip is absent when the last reading of the clock failed', async () => {
  let fails = false;
  const brokerClock = new BrokerClock({
    read: async () => {
      if (fails) throw new Error('no answer');
      return Date.now();
    },
    clock: systemClock,
    log: createLog('silent'),
  });
  await brokerClock.start();
  assert.ok((brokerClock.roundTripMs ?? -1) >= 0);
  brokerClock.stop();
  fails = true;
  await brokerClock.start();
  brokerClock.stop();
  assert.equal(brokerClock.roundTripMs, undefined);
});
