/** Shared by the tests of ordered endpoints: one endpoint, its deliveries and its requests. */
import type { EndpointSnapshot } from '#wire/config-snapshot.ts';
import { buckets } from '#wire/subjects.ts';
import { Worker } from '../worker.ts';

export const PATH = '/acme/ep_1';
export const DEAD_LETTER: Partial<EndpointSnapshot> = { ordered: { onExhausted: 'dead_letter' } };
export const BLOCK: Partial<EndpointSnapshot> = { ordered: { onExhausted: 'block' } };
export const OFTEN = {
  delaysSeconds: Array.from({ length: 30 }, () => 0.05),
  finalStatuses: [],
  retryAfterMaxMs: 1000,
};

export async function publishOrdered(
  worker: Worker,
  count: number,
): Promise<{ event: string; id: string }[]> {
  const published = [];
  for (let i = 0; i < count; i++) {
    const { event, delivery } = await worker.publishDelivery('acme', 'ep_1', {
      deliveryClass: 'o',
    });
    published.push({ event: event.id, id: delivery.id });
  }
  return published;
}

export function received(worker: Worker): string[] {
  return worker.receiver.at(PATH).map(({ headers }) => String(headers['webhook-id']));
}

export async function savedHeads(worker: Worker): Promise<number> {
  return (await worker.core.jsm.streams.info(`KV_${buckets.ordered}`)).state.messages;
}
