/** Reads and cancels broadcast events (RT-5), which are in the stream BCAST. */
import type { Clock } from '#domain/clock.ts';
import { PosthornError } from '#domain/errors.ts';
import { notFound } from '#domain/field-faults.ts';
import type { BroadcastStore, StoredBroadcast } from '#infra/nats/stores/broadcast-store.ts';
import type { Broadcast } from '#wire/api/broadcast.ts';
import type { PageQuery } from '#wire/api/page.ts';
import type { BroadcastProgress } from '#wire/frames/broadcast.ts';
import {
  boundList,
  cursorInvalid,
  decodeCursor,
  type Page,
  type PageSort,
  toPage,
} from '#wire/pagination.ts';

const SORT: PageSort = { name: 'broadcasts', fields: ['number'] };
const WRITE_TIMEOUT_MS = 5000;
/**
 * Each lost race is a step of the broadcaster, which makes several in a second at most: a write
 * succeeds in between.
 */
const CANCEL_DEADLINE_MS = 10_000;
/** The characters of an event id: other ids have no subject. */
const EVENT_ID = /^[A-Za-z0-9_:@/+=~|-]+$/;

export interface BroadcastsDeps {
  store: BroadcastStore;
  clock: Clock;
}

export class Broadcasts {
  private readonly deps: BroadcastsDeps;

  constructor(deps: BroadcastsDeps) {
    this.deps = deps;
  }

  /**
   * Lists broadcasts, oldest first; the cursor is a sequence of the stream.
   *
   * @throws PosthornError POSTHORN_CURSOR_INVALID, POSTHORN_NATS_UNAVAILABLE
   */
  async list(query: PageQuery): Promise<Page<Broadcast>> {
    const { cursor, limit } = query;
    const list = boundList(SORT, '', query);
    const after = cursor === undefined ? 0 : (decodeCursor(list, cursor)[0] as number);
    if (after < 0) throw cursorInvalid('is not a cursor of this list');
    return withNatsErrors(async () => {
      const found = await this.deps.store.events(after + 1, limit + 1);
      const shown = await Promise.all(found.map((each) => this.toResource(each)));
      return toPage(
        shown,
        limit,
        list,
        ({ seq }) => [seq],
        ({ view }) => view,
      );
    });
  }

  /** @throws PosthornError POSTHORN_RESOURCE_UNKNOWN, POSTHORN_NATS_UNAVAILABLE */
  get(id: string): Promise<Broadcast> {
    return withNatsErrors(async () => (await this.toResource(await this.find(id))).view);
  }

  /**
   * Cancels a broadcast: tenants without a copy get none, except those of the chunk that is being
   * copied. A broadcast that has ended is unchanged.
   *
   * @throws PosthornError POSTHORN_RESOURCE_UNKNOWN, POSTHORN_OVERLOADED, POSTHORN_NATS_UNAVAILABLE
   */
  cancel(id: string): Promise<Broadcast> {
    return withNatsErrors(async () => {
      const found = await this.find(id);
      const deadlineMs = this.deps.clock.monotonicMs() + CANCEL_DEADLINE_MS;
      while (this.deps.clock.monotonicMs() < deadlineMs) {
        const { seq, progress } = await this.deps.store.progress(id);
        const known = progress?.eventSeq === found.seq ? progress : undefined;
        if (known !== undefined && known.state !== 'running') return view(found, known);
        const none = { done: 0, total: 0 };
        const cancelled: BroadcastProgress = {
          v: 1,
          eventSeq: found.seq,
          tenants: none,
          endpoints: none,
          ...known,
          state: 'cancelled',
          endedMs: this.deps.clock.wallMs(),
        };
        const write = this.deps.store.writeProgress(id, cancelled, seq, WRITE_TIMEOUT_MS);
        if ((await write) !== undefined) return view(found, cancelled);
      }
      throw new PosthornError('POSTHORN_OVERLOADED', {
        detail: 'the broadcast advanced during each try; try again',
      });
    });
  }

  private async find(id: string): Promise<StoredBroadcast> {
    const found = EVENT_ID.test(id) ? await this.deps.store.event(id) : undefined;
    if (found !== undefined) return found;
    throw notFound('broadcast', id);
  }

  private async toResource(stored: StoredBroadcast): Promise<{ seq: number; view: Broadcast }> {
    const { progress } = await this.deps.store.progress(stored.id);
    const known = progress?.eventSeq === stored.seq ? progress : undefined;
    return { seq: stored.seq, view: view(stored, known) };
  }
}

/** Converts every error of NATS to POSTHORN_NATS_UNAVAILABLE. */
async function withNatsErrors<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof PosthornError) throw error;
    throw new PosthornError('POSTHORN_NATS_UNAVAILABLE', { cause: error });
  }
}

function view({ event }: StoredBroadcast, progress: BroadcastProgress | undefined): Broadcast {
  const { id, producerId, type, acceptedMs } = event.head;
  // Cancelled before it was planned: the number of recipients is unknown.
  const isPlanned = progress?.startsAtMs !== undefined;
  const tally = (of: 'tenants' | 'endpoints') => ({
    done_count: progress?.[of].done ?? 0,
    total_count: isPlanned ? progress[of].total : null,
  });
  return {
    id,
    producer_id: producerId ?? id,
    event_type: type,
    status: progress?.state ?? 'queued',
    accepted_at: new Date(acceptedMs).toISOString(),
    starts_at: time(progress?.startsAtMs),
    ended_at: time(progress?.endedMs),
    tenants: tally('tenants'),
    endpoints: tally('endpoints'),
  };
}

function time(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString();
}
