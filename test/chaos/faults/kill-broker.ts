import { setTimeout as delay } from 'node:timers/promises';
import type { RestartableServer } from '#testkit/restartable-server.ts';
import type { Fault } from '../fault.ts';

const AWAY_MS = 4000;

/** kill -9 of one broker, chosen by the seed; back after 4 s. */
export const killBroker: Fault = {
  name: 'kill-broker',
  lastsMs: AWAY_MS,
  duplicates: 'in_flight',
  async strike({ system, random }) {
    const victim = system.brokers[Math.floor(random() * system.brokers.length)];
    await killAndRestart(victim as RestartableServer);
  },
};

/** kill -9 of the broker that leads the stream of deliveries of shard 0. */
export const killStreamLeader: Fault = {
  name: 'kill-stream-leader',
  lastsMs: AWAY_MS,
  duplicates: 'in_flight',
  async strike({ system, census }) {
    const leader = await census.leaderOf('DLV-0');
    const victim = system.brokers[Number(leader.slice('broker-'.length))];
    await killAndRestart(victim as RestartableServer);
  },
};

async function killAndRestart(broker: RestartableServer): Promise<void> {
  await broker.kill();
  await delay(AWAY_MS);
  await broker.restart();
}
