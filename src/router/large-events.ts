/**
 * Loads the `data` of large events for the filters that read it (IN-12, RT-1). That data is in the
 * object store, not in the event; while it is read, the tenant's later events wait behind it
 * (`serial-queue.ts`). Tenants with small events, or with filters on attributes alone, never
 * need it.
 *
 * Limits: `limits.filterPayloadBytesMax` for one payload, `READS_MAX` concurrent reads, one for
 * each tenant.
 */
import { Semaphore } from '#domain/contention/semaphore.ts';
import { PayloadDamagedError, type PayloadStore } from '#infra/payload-store.ts';
import { retryWhile } from '#infra/retry.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { EventFrame } from '#wire/frames/event-frame.ts';
import { isDataSeen } from '#wire/published/event-for-filter.ts';

const READS_MAX = 4;
const READ_RETRY = { firstMs: 1000, maxMs: 1000 };

export class LargeEvents {
  private readonly deps: { store: Pick<PayloadStore, 'get'>; log: Log };
  private readonly reads = new Semaphore(READS_MAX);

  constructor(deps: { store: Pick<PayloadStore, 'get'>; log: Log }) {
    this.deps = deps;
  }

  /**
   * Returns the event with its data; without, if the data is too large for a filter or is gone.
   * Retries while the store does not answer and this router owns the event: a later event must not
   * overtake it.
   */
  async hydrate(event: EventFrame, isOwner: () => boolean): Promise<EventFrame> {
    const { payload } = event.head;
    if (payload === undefined || !isDataSeen(payload.size)) return event;
    const read = await retryWhile(() => this.reads.run(() => this.read(payload.key)), {
      ...READ_RETRY,
      isWanted: isOwner,
      onFailure: (error) =>
        this.deps.log.warn({ error: (error as Error).message }, 'router.payload_not_read'),
    });
    return read?.value === undefined ? event : { ...event, data: read.value };
  }

  private async read(key: string): Promise<Buffer | undefined> {
    try {
      return (await this.deps.store.get(key))?.bytes;
    } catch (error) {
      if (error instanceof PayloadDamagedError) return undefined;
      throw error;
    }
  }
}
