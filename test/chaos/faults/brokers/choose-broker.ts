import type { RestartableServer } from '#testkit/restartable-server.ts';
import type { Arena } from '../../fault.ts';

/** A broker chosen by the seed. */
export function anyBroker({ system, random }: Arena): Promise<RestartableServer> {
  return Promise.resolve(brokerAt(system, Math.floor(random() * system.brokers.length)));
}

/** The broker that leads the stream of deliveries of shard 0. */
export async function streamLeader({ system, census }: Arena): Promise<RestartableServer> {
  const leader = await census.leaderOf('DLV-0');
  return brokerAt(system, Number(leader.slice('broker-'.length)));
}

function brokerAt({ brokers }: Arena['system'], i: number): RestartableServer {
  const broker = brokers[i];
  if (broker === undefined) throw new Error(`there is no broker ${i}`);
  return broker;
}
