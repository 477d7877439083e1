import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { pino } from 'pino';
import { systemClock } from '#infra/system-clock.ts';
import { BrokerClock, readBrokerClock } from '#infra/nats/broker-clock.ts';
import { startNatsServer } from '#testkit/servers.ts';
import { streams } from '#wire/subjects.ts';

const log = pino({ level: 'silent' });
const HOUR_MS = 3_600_000;

test("the broker clock follows the broker when this machine's clock is wrong", async (t) => {
  const server = await startNatsServer();
  const nc = await connect({ servers: server.url });
  t.after(async () => {
    await nc.close();
    await server.dispose();
  });
  const jsm = await jetstreamManager(nc);
  await jsm.streams.add({ name: streams.deadLetters, subjects: ['dlq.>'] });
  // Wrong from the start, and differently wrong later.
  let wrongMs = 3 * HOUR_MS;
  const machine = { ...systemClock, wallMs: () => systemClock.wallMs() + wrongMs };
  const clock = new BrokerClock({ clock: machine, read: () => readBrokerClock(jsm), log });
  await clock.start();
  t.after(() => clock.stop());
  wrongMs = -3 * HOUR_MS;
  assert.ok(Math.abs(clock.now() - Date.now()) < HOUR_MS / 60);
});

test('the broker clock is never behind the broker, whichever direction of the request is slow', async () => {
  const slowAnswer = async () => {
    const brokerMs = Date.now();
    await delay(40);
    return brokerMs;
  };
  const clock = new BrokerClock({ clock: systemClock, read: slowAnswer, log });
  await clock.start();
  clock.stop();
  assert.ok(clock.now() >= Date.now(), 'a retry would come too early');
});

test("the broker clock uses this machine's clock when the broker does not answer", async () => {
  const unread = new BrokerClock({
    clock: systemClock,
    read: () => Promise.reject(new Error('no leader')),
    log,
  });
  const strange = new BrokerClock({
    clock: systemClock,
    read: () => Promise.resolve(Number.NaN),
    log,
  });
  for (const clock of [unread, strange]) {
    await clock.start();
    clock.stop();
    assert.ok(Math.abs(clock.now() - Date.now()) < HOUR_MS / 60);
  }
});
