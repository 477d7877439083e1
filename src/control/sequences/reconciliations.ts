/**
 * Lists the numbers of a sequenced endpoint (DL-23). The stream SEQ knows the last number, the
 * history the deliveries. A number without a delivery in the history is listed too, with its event
 * as far as the stream still has it: the list has no gaps.
 */
import { notFound } from '#domain/field-faults.ts';
import { PosthornError } from '#domain/errors.ts';
import type { DeliveryStatus } from '#domain/outcome/delivery.ts';
import type { Configuration } from '#infra/mongo/configuration.ts';
import type { DeliveryDocument, History } from '#infra/mongo/documents.ts';
import {
  type SequenceEntry,
  type SequenceStore,
  type StoredSequenceEntry,
  findFirst,
} from '#infra/nats/stores/sequence-store.ts';
import type { ReconcileQuery, SequenceNumber, SequencePage } from '#wire/api/sequence/reconcile.ts';
import { type PageSort, boundList, decodeCursor, encodeCursor } from '#wire/pagination.ts';
import { type FairSearches, SEARCH_MS_MAX } from '../history/fair-searches.ts';
import type { CurrentLives } from '../lives/current-lives.ts';

const SORT: PageSort = { name: 'reconcile', fields: ['number', 'number'] };
/** Of deliveries with the same number, the one that came furthest is shown. */
const PROGRESS: Record<DeliveryStatus, number> = {
  delivered: 4,
  pending: 3,
  held: 2,
  failed: 1,
  cancelled: 0,
};

export interface ReconciliationsDeps {
  configuration: Pick<Configuration, 'endpoints'>;
  lives: Pick<CurrentLives, 'of'>;
  history: Pick<History, 'deliveries'>;
  searches: FairSearches;
  store: Pick<SequenceStore, 'last' | 'from'>;
}

type NumberedDelivery = Pick<
  DeliveryDocument,
  '_id' | 'event' | 'type' | 'accepted_at' | 'sequence' | 'state'
>;

interface Where {
  tenant: string;
  endpoint: string;
}

export class Reconciliations {
  private readonly deps: ReconciliationsDeps;

  constructor(deps: ReconciliationsDeps) {
    this.deps = deps;
  }

  /**
   * @throws PosthornError POSTHORN_TENANT_UNKNOWN, POSTHORN_RESOURCE_UNKNOWN,
   * POSTHORN_REQUEST_INVALID, POSTHORN_CURSOR_INVALID, POSTHORN_NATS_UNAVAILABLE
   */
  async list(tenantId: string, endpoint: string, query: ReconcileQuery): Promise<SequencePage> {
    const lifeId = await this.deps.lives.of(tenantId);
    const known = await this.deps.configuration.endpoints.countDocuments(
      { _id: endpoint, tenant: tenantId },
      { limit: 1 },
    );
    if (known === 0) throw notFound('endpoint', endpoint);
    const where = { tenant: lifeId, endpoint };
    const last = await this.read(() => this.deps.store.last(lifeId, endpoint));
    const lastSequence = last?.entry.sequence ?? 0;
    const range = rangeOf(where, query, lastSequence);
    const end = Math.min(range.to, range.from + query.limit - 1);
    const data = last === undefined ? [] : await this.numbers(where, last, range.from, end);
    const isMore = end < range.to;
    return {
      data,
      next_cursor: isMore ? encodeCursor(listOf(where, query), [end + 1, range.to]) : null,
      last_sequence: lastSequence,
    };
  }

  private async numbers(
    where: Where,
    last: StoredSequenceEntry,
    from: number,
    to: number,
  ): Promise<SequenceNumber[]> {
    if (to < from) return [];
    const found = await this.deliveries(where, from, to);
    const missing: number[] = [];
    for (let n = from; n <= to; n++) if (!found.has(n)) missing.push(n);
    const entries = await this.read(() => this.entries(where, last, missing));
    return Array.from({ length: to - from + 1 }, (_, i) => {
      const sequence = from + i;
      const delivery = found.get(sequence);
      return delivery === undefined
        ? unrecorded(sequence, entries.get(sequence))
        : recorded(sequence, delivery);
    });
  }

  private async deliveries(
    { tenant, endpoint }: Where,
    from: number,
    to: number,
  ): Promise<Map<number, NumberedDelivery>> {
    const { searches, history } = this.deps;
    const filter = { tenant, endpoint, sequence: { $exists: true, $gte: from, $lte: to } };
    const projection = { event: 1, type: 1, accepted_at: 1, sequence: 1, state: 1 } as const;
    const documents = await searches.run(tenant, () =>
      history.deliveries
        .find<NumberedDelivery>(filter, { projection, maxTimeMS: SEARCH_MS_MAX })
        .toArray(),
    );
    const found = new Map<number, NumberedDelivery>();
    for (const document of documents) {
      const sequence = document.sequence as number;
      const other = found.get(sequence);
      if (other === undefined || isFurther(document, other)) found.set(sequence, document);
    }
    return found;
  }

  /** Reads numbers from the stream. Those that it no longer has are left out. */
  private async entries(
    where: Where,
    last: StoredSequenceEntry,
    missing: readonly number[],
  ): Promise<Map<number, SequenceEntry>> {
    const entries = new Map<number, SequenceEntry>();
    let read: StoredSequenceEntry | undefined;
    for (const sequence of missing) {
      if (read !== undefined && read.entry.sequence > sequence) continue;
      read =
        read?.entry.sequence === sequence - 1
          ? await this.deps.store.from(where.tenant, where.endpoint, read.seq + 1)
          : await findFirst(this.deps.store, where, last, (entry) => entry.sequence >= sequence);
      if (read === undefined) break;
      if (read.entry.sequence === sequence) entries.set(sequence, read.entry);
    }
    return entries;
  }

  private async read<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      throw new PosthornError('POSTHORN_NATS_UNAVAILABLE', { cause });
    }
  }
}

function listOf({ tenant, endpoint }: Where, query: ReconcileQuery) {
  return boundList(SORT, `${tenant}/${endpoint}`, query);
}

/** All pages of a list end at the same number, also if more are given between two requests. */
function rangeOf(where: Where, query: ReconcileQuery, last: number): { from: number; to: number } {
  const { from = 1, to = last, cursor } = query;
  if (query.to !== undefined && query.to < from) {
    const fields = [{ pointer: '#query/to', detail: 'must be at least "from"' }];
    throw new PosthornError('POSTHORN_REQUEST_INVALID', { fields });
  }
  if (cursor === undefined) return { from, to: Math.min(to, last) };
  const [next, end] = decodeCursor(listOf(where, query), cursor) as [number, number];
  return { from: Math.max(from, next), to: Math.min(end, to, last) };
}

function isFurther(one: NumberedDelivery, other: NumberedDelivery): boolean {
  const by = PROGRESS[one.state.status] - PROGRESS[other.state.status];
  return by === 0 ? one.state.at > other.state.at : by > 0;
}

function recorded(sequence: number, delivery: NumberedDelivery): SequenceNumber {
  return {
    sequence,
    status: delivery.state.status,
    event_id: delivery.event,
    event_type: delivery.type,
    delivery_id: delivery._id,
    accepted_at: delivery.accepted_at.toISOString(),
  };
}

function unrecorded(sequence: number, entry: SequenceEntry | undefined): SequenceNumber {
  return {
    sequence,
    status: 'unrecorded',
    event_id: entry?.event ?? null,
    event_type: null,
    delivery_id: entry?.delivery ?? null,
    accepted_at: null,
  };
}
