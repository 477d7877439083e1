import type { JetStreamManager } from '@nats-io/jetstream';
import { consumers, streams } from '#wire/subjects.ts';
import { readBehind } from '../stores/behind-store.ts';

/**
 * The router's floor of a shard: every event of EV-k up to this sequence is routed. It is the ack
 * floor of the router's consumer, or lower if a tenant is behind: events of such a tenant are
 * acked before they are routed.
 *
 * It never decreases while the streams exist, so a caller may remove events up to it.
 *
 * @throws if NATS does not answer
 */
export async function routerFloor(jsm: JetStreamManager, shard: number): Promise<number> {
  const { ack_floor } = await jsm.consumers.info(streams.events(shard), consumers.router);
  // Read after the ack floor: a tenant's key is written before its first event is acked unrouted,
  // and removed after its last one is routed.
  const behind = await readBehind(jsm, shard);
  let floor = ack_floor.stream_seq;
  for (const { from } of Object.values(behind?.state?.tenants ?? {})) {
    floor = Math.min(floor, from - 1);
  }
  return floor;
}
