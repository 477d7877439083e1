import type { Publisher } from '#infra/nats/publish/publisher.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { PollSettlements } from './poll-settlements.ts';
import type { PollStore } from './poll-store.ts';
import type { QueuedDelivery } from './queued-delivery.ts';

/** Dependencies shared by the queues of a worker. */
export interface PollQueueDeps {
  store: PollStore;
  publisher: Pick<Publisher, 'publishAsync'>;
  settle: PollSettlements;
  /** The body that a poller gets, or why the delivery becomes a dead letter. */
  render: (tenant: string, queued: QueuedDelivery) => Promise<{ text: string } | { lost: string }>;
  /** Fetches the event of a delivery by reference, if the stream still has it. */
  fetch: (tenant: string, queued: QueuedDelivery) => Promise<void>;
  /** Remembers that a lease was committed. */
  committed: (tenant: string, lease: string) => void;
  isCommitted: (tenant: string, lease: string) => boolean;
  isOwner: (tenant: string) => boolean;
  worker: string;
  /** The brokers' clock, which ends leases; milliseconds since 1970. */
  now: () => number;
  log: Log;
}
