/**
 * Replays and discards dead letters (DL-10), one or many.
 * A replay publishes a new delivery, awaits its PubAck, and only then marks the dead letter. The id
 * of the new delivery is derived from that of the dead letter. So a replay that is repeated, after
 * a crash between the two steps or by a second request, is the same delivery, and the server drops
 * the publish as a duplicate. A dead letter is replayed once. If the replay fails too, it becomes a
 * new dead letter. Each dead letter names the claim of the request that changed it. So a repeat
 * that continues an earlier run counts what that run did, and leaves dead letters that arrived
 * later alone.
 */
import type { Filter } from 'mongodb';
import type { Clock } from '#domain/clock.ts';
import { PosthornError } from '#domain/errors.ts';
import { deliveryId } from '#domain/ids.ts';
import { limits } from '#domain/limits.ts';
import type { DeadLetterDocument } from '#infra/mongo/documents.ts';
import type { Publisher } from '#infra/nats/publish/publisher.ts';
import type { RecordBatcher } from '#infra/nats/publish/record-batcher.ts';
import type {
  DeadLetterReplay,
  DeadLetterSelection,
  DiscardedDeadLetters,
  ReplayedDeadLetter,
  ReplayedDeadLetters,
} from '#wire/api/dead-letter.ts';
import type { ConfigView } from '#wire/config-snapshot.ts';
import {
  deliveryMessageId,
  encodeDeliveryFrame,
  repeatClassOf,
} from '#wire/frames/delivery-frame.ts';
import type { DeliveryRecord } from '#wire/frames/record.ts';
import { type DeliveryClass, subjects } from '#wire/subjects.ts';
import type { ActionClaim } from '../idempotency/action-claim.ts';
import type { HistoryReadDeps } from '../history/event-reads.ts';
import { SEARCH_MS_MAX } from '../history/fair-searches.ts';
import type { DeadLetterReads } from './reads.ts';
import { selectedForAction } from './selection.ts';

const STORE_TIMEOUT_MS = 5000;
/** Number of dead letters that are read, published and marked together. */
const AT_ONCE = 50;
/**
 * Replays that are due later than this become schedules: a schedule fires after a quarter of a
 * second at the earliest.
 */
const SCHEDULED_FROM_MS = 250;

/** The field that names the claim of a change. */
type ChangedBy = 'replayed_by' | 'discarded_by';

export interface DeadLetterActionsDeps extends Omit<HistoryReadDeps, 'config'> {
  reads: Pick<DeadLetterReads, 'find'>;
  config: Pick<ConfigView, 'tenant'>;
  publisher: Pick<Publisher, 'publishAsync'>;
  records: Pick<RecordBatcher, 'add'>;
  clock: Clock;
}

export class DeadLetterActions {
  private readonly deps: DeadLetterActionsDeps;

  constructor(deps: DeadLetterActionsDeps) {
    this.deps = deps;
  }

  /**
   * Replays one dead letter. A repeat gets the answer of the first replay.
   *
   * @throws PosthornError POSTHORN_RESOURCE_UNKNOWN, POSTHORN_DEAD_LETTER_UNREPLAYABLE,
   * POSTHORN_PUBLISH_NOT_ACKED
   */
  async replay(lifeId: string, id: string, claim?: ActionClaim): Promise<ReplayedDeadLetter> {
    const letter = await this.deps.reads.find(lifeId, id);
    const done = replayOf(letter);
    if (done !== undefined) return done;
    if (letter.frame === null)
      throw unreplayable('its event had expired before it could be stored');
    if (!this.endpointsOf(lifeId).includes(letter.endpoint)) {
      throw unreplayable(`its endpoint ${letter.endpoint} was deleted`);
    }
    return this.replayOne(letter, this.deps.clock.wallMs(), claim);
  }

  /**
   * Replays the selected dead letters, oldest first, at the requested pace. Deliveries that are not
   * yet due wait as schedules, as retries do. Skips dead letters whose endpoint was deleted or
   * whose event had expired.
   */
  async replayMany(
    lifeId: string,
    request: DeadLetterReplay,
    claim?: ActionClaim,
  ): Promise<ReplayedDeadLetters> {
    const { per_second: perSecond = limits.replayPerSecondDefault, ...selection } = request;
    const { endpoint_id: endpointIds } = selection;
    const earlier = await this.countEarlier(lifeId, 'replayed_by', claim);
    const startMs = this.deps.clock.wallMs();
    const dueMs = (nth: number): number =>
      startMs + Math.floor(((nth - earlier) * 1000) / perSecond);
    const known = this.endpointsOf(lifeId);
    const replayable = {
      ...selectedForAction(lifeId, selection),
      ...failedBefore(claim),
      endpoint: { $in: known.filter((id) => endpointIds?.includes(id) ?? true) },
      replayed_at: null,
      frame: { $ne: null },
    };
    let replayed = earlier;
    const done = (more: boolean): ReplayedDeadLetters => {
      const pacedUntil = replayed === 0 ? null : new Date(dueMs(replayed - 1)).toISOString();
      return { replayed_count: replayed, more, paced_until: pacedUntil };
    };
    while (replayed < limits.deadLettersReplayedMax) {
      await claim?.note('replay');
      const before = replayed;
      const letters = await this.deps.searches.run(lifeId, () =>
        this.deps.history.deadLetters
          .find(replayable, { maxTimeMS: SEARCH_MS_MAX })
          .sort({ at: 1, _id: 1 })
          .limit(Math.min(AT_ONCE, limits.deadLettersReplayedMax - before))
          .toArray(),
      );
      await Promise.all(
        letters.map((letter, i) => this.replayOne(letter, dueMs(before + i), claim)),
      );
      replayed += letters.length;
      if (letters.length < AT_ONCE) {
        return done(false);
      }
    }
    const left = await this.deps.history.deadLetters.countDocuments(replayable, { limit: 1 });
    return done(left > 0);
  }

  /** @throws PosthornError POSTHORN_RESOURCE_UNKNOWN, also if it was already discarded */
  async discard(lifeId: string, id: string): Promise<void> {
    await this.deps.reads.find(lifeId, id);
    await this.discardAll({ _id: id, tenant: lifeId, discarded_at: null });
  }

  async discardMany(
    lifeId: string,
    selection: DeadLetterSelection,
    claim?: ActionClaim,
  ): Promise<DiscardedDeadLetters> {
    const earlier = await this.countEarlier(lifeId, 'discarded_by', claim);
    await claim?.note('discard');
    const filter = { ...selectedForAction(lifeId, selection), ...failedBefore(claim) };
    return { discarded_count: earlier + (await this.discardAll(filter, claim)) };
  }

  /** Counts the dead letters that an earlier run of the request changed. */
  private async countEarlier(
    lifeId: string,
    by: ChangedBy,
    claim: ActionClaim | undefined,
  ): Promise<number> {
    if (claim?.earlier === undefined) return 0;
    const changed = { tenant: lifeId, [by]: claim.id };
    return this.deps.searches.run(lifeId, () =>
      this.deps.history.deadLetters.countDocuments(changed, { maxTimeMS: SEARCH_MS_MAX }),
    );
  }

  private async discardAll(filter: object, claim?: ActionClaim): Promise<number> {
    const gone = {
      discarded_at: new Date(this.deps.clock.wallMs()),
      frame: null,
      last_attempt: null,
      ...(claim === undefined ? {} : { discarded_by: claim.id }),
    };
    const result = await this.deps.history.deadLetters.updateMany(filter, { $set: gone });
    return result.modifiedCount;
  }

  /** A replay for an ordered endpoint goes to the end of its queue. */
  private replayClassOf(lifeId: string, endpointId: string): DeliveryClass {
    const endpoints = this.deps.config.tenant(lifeId)?.endpoints ?? [];
    return repeatClassOf(
      {},
      endpoints.find(({ id }) => id === endpointId),
    );
  }

  private endpointsOf(lifeId: string): string[] {
    return this.deps.config.tenant(lifeId)?.endpoints.map((endpoint) => endpoint.id) ?? [];
  }

  private async replayOne(
    letter: DeadLetterDocument,
    dueMs: number,
    claim: ActionClaim | undefined,
  ): Promise<ReplayedDeadLetter> {
    const { history, clock } = this.deps;
    const { tenant, event, endpoint } = letter;
    const id = deliveryId(tenant, event, endpoint, letter._id);
    // An earlier run may have published it before it ended, longer ago than the window in which the
    // server drops a duplicate.
    const isPublished = claim?.earlier !== undefined && (await this.isKnown(id));
    if (!isPublished) await this.publish(letter, id, dueMs);
    const by = claim === undefined ? {} : { replayed_by: claim.id };
    const marked = await history.deadLetters.findOneAndUpdate(
      { _id: letter._id, replayed_at: null },
      { $set: { replayed_at: new Date(clock.wallMs()), replay: id, ...by } },
      { returnDocument: 'after' },
    );
    // Not found: a concurrent request has marked it, for the same delivery.
    const now = marked ?? (await history.deadLetters.findOne({ _id: letter._id }));
    const at = now?.replayed_at ?? new Date(clock.wallMs());
    return { id: letter._id, delivery_id: id, replayed_at: at.toISOString() };
  }

  private async isKnown(id: string): Promise<boolean> {
    return (await this.deps.history.deliveries.countDocuments({ _id: id })) > 0;
  }

  private async publish(letter: DeadLetterDocument, id: string, dueMs: number): Promise<void> {
    const { tenant, event, endpoint, type, seq, sequence, frame } = letter;
    const link = { replayOf: letter._id, ...(sequence === undefined ? {} : { sequence }) };
    const head = { id, endpoint, attemptNo: 1, hop: 0, eventSeq: seq, ...link };
    const target = subjects.delivery(tenant, endpoint, this.replayClassOf(tenant, endpoint));
    const waits = dueMs - this.deps.clock.wallMs() > SCHEDULED_FROM_MS;
    try {
      await this.deps.publisher.publishAsync({
        subject: waits ? subjects.waiting(tenant, endpoint, id) : target,
        payload: encodeDeliveryFrame(head, frame?.value() ?? new Uint8Array()),
        messageId: deliveryMessageId(id, 0),
        timeoutMs: STORE_TIMEOUT_MS,
        ...(waits ? { schedule: { atMs: dueMs, target } } : {}),
      });
    } catch (error) {
      throw new PosthornError('POSTHORN_PUBLISH_NOT_ACKED', {
        detail: `the delivery of ${letter._id} was not stored in time; try again`,
        cause: error,
      });
    }
    const acceptedMs = letter.accepted_at.getTime();
    // If a crash loses this record, the worker's record creates the document.
    const record: DeliveryRecord = {
      k: 'delivery',
      tenant,
      event,
      type,
      acceptedMs,
      id,
      endpoint,
      hop: 0,
      status: 'pending',
      ...link,
    };
    if (waits) record.nextAttemptMs = dueMs;
    this.deps.records.add(record, () => {});
  }
}

/** Selects what the earlier run of a request could select. */
function failedBefore(claim: ActionClaim | undefined): Filter<DeadLetterDocument> {
  if (claim?.earlier === undefined) return {};
  return { $and: [{ at: { $lte: new Date(claim.earlier.startedMs) } }] };
}

function replayOf(letter: DeadLetterDocument): ReplayedDeadLetter | undefined {
  if (letter.replay === null || letter.replayed_at === null) return undefined;
  return {
    id: letter._id,
    delivery_id: letter.replay,
    replayed_at: letter.replayed_at.toISOString(),
  };
}

function unreplayable(detail: string): PosthornError {
  return new PosthornError('POSTHORN_DEAD_LETTER_UNREPLAYABLE', { detail });
}
