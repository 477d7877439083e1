/** Creates the queues of polled endpoints, on NATS and the configuration (DL-19). */
import type { JetStreamManager } from '@nats-io/jetstream';
import type { RecordBatcher } from '#infra/nats/publish/record-batcher.ts';
import { shardOf } from '#wire/subjects.ts';
import { renderWebhook } from '#wire/webhook/webhook-request.ts';
import type { Payloads } from '../attempt/payloads.ts';
import type { EventFetcher } from '../intake/event-fetcher.ts';
import type { Settler } from '../settlement/settle.ts';
import type { PollQueueDeps } from './poll-queue-deps.ts';
import { PollQueues, type PollQueuesDeps } from './poll-queues.ts';
import { PollSettlements } from './poll-settlements.ts';
import { PollStore } from './poll-store.ts';
import type { QueuedDelivery } from './queued-delivery.ts';

export type PollWorkerDeps = Pick<
  PollQueuesDeps,
  'nc' | 'config' | 'lives' | 'refreshTenant' | 'publisher' | 'worker' | 'clock' | 'log'
> & {
  settings: { shards: number };
  jsm: JetStreamManager;
  records: Pick<RecordBatcher, 'add'>;
  /** The brokers' clock, milliseconds since 1970. */
  brokerNow: () => number;
};

export interface PollParts {
  settler: Settler;
  events: EventFetcher;
  /** Makes links to payloads of every size. */
  payloads: Payloads;
  owns: (shard: number) => boolean;
}

/** The queues of the worker. */
export function createPollQueues(
  deps: PollWorkerDeps,
  { settler, events, payloads, owns }: PollParts,
): PollQueues {
  const { settings, nc, jsm, config, lives, refreshTenant, publisher, records } = deps;
  const { brokerNow, worker, clock, log } = deps;
  const { shards } = settings;
  const fetch: PollQueueDeps['fetch'] = async (tenant, queued) => {
    const { eventSeq, byReference } = queued.head;
    if (byReference === undefined) return;
    queued.event ??= await events.fetch(tenant, eventSeq, byReference.id);
  };
  return new PollQueues({
    nc,
    shards,
    store: new PollStore({ jsm, shards }),
    publisher,
    settle: new PollSettlements({ settler, records, clock }),
    fetch,
    render: (tenant, queued) => render(tenant, queued, { fetch, payloads }),
    isOwner: (tenant) => owns(shardOf(tenant, shards)),
    config,
    lives,
    refreshTenant,
    worker,
    now: brokerNow,
    clock,
    log,
  });
}

/** A large payload comes as a link: many deliveries share one answer. */
async function render(
  tenant: string,
  queued: QueuedDelivery,
  { fetch, payloads }: { fetch: PollQueueDeps['fetch']; payloads: Payloads },
): Promise<{ text: string } | { lost: string }> {
  await fetch(tenant, queued);
  const { event } = queued;
  if (event === undefined) return { lost: 'event_expired' };
  const { payload } = event.head;
  if (payload === undefined) return { text: renderWebhook('standard', event).body.toString() };
  const attached = await payloads.attachLink(event, payload);
  if (attached.kind === 'lost') return { lost: attached.reason };
  return { text: renderWebhook('standard', attached.event).body.toString() };
}
