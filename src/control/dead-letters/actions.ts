/**
 * Replays and discards a dead letter (DL-10); many are replayed and discarded by a plan.
 * A replay publishes a new delivery, awaits its PubAck, and only then marks the dead letter. The id
 * of the new delivery is derived from that of the dead letter. So a replay that is repeated, after
 * a crash between the two steps or by a second request, is the same delivery, and the server drops
 * the publish as a duplicate. A dead letter is replayed once. If the replay fails too, it becomes a
 * new dead letter.
 */
import type { Clock } from '#domain/clock.ts';
import { PosthornError } from '#domain/errors.ts';
import { deliveryId } from '#domain/ids.ts';
import type { DeadLetterDocument, History } from '#infra/mongo/documents.ts';
import type { ReplayedDeadLetter } from '#wire/api/dead-letter.ts';
import { decodeEventFrame } from '#wire/frames/event-frame.ts';
import type { ActionClaim } from '../idempotency/action-claim.ts';
import type { NewDeliveries } from '../replays/new-deliveries.ts';
import { type StoredEvent, storedEventOf } from '../replays/stored-events.ts';
import type { DeadLetterReads } from './reads.ts';

export interface DeadLetterActionsDeps {
  history: Pick<History, 'deadLetters' | 'deliveries'>;
  reads: Pick<DeadLetterReads, 'find'>;
  deliveries: Pick<NewDeliveries, 'publish' | 'hasEndpoint'>;
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
    const event = eventOfLetter(letter);
    if (event === undefined) throw unreplayable('its event had expired before it could be stored');
    if (!this.deps.deliveries.hasEndpoint(lifeId, letter.endpoint)) {
      throw unreplayable(`its endpoint ${letter.endpoint} was deleted`);
    }
    return this.publish(letter, event, claim);
  }

  /** @throws PosthornError POSTHORN_RESOURCE_UNKNOWN, also if it was already discarded */
  async discard(lifeId: string, id: string): Promise<void> {
    await this.deps.reads.find(lifeId, id);
    const gone = {
      discarded_at: new Date(this.deps.clock.wallMs()),
      frame: null,
      last_attempt: null,
    };
    const kept = { _id: id, tenant: lifeId, discarded_at: null };
    await this.deps.history.deadLetters.updateOne(kept, { $set: gone });
  }

  private async publish(
    letter: DeadLetterDocument,
    stored: StoredEvent,
    claim: ActionClaim | undefined,
  ): Promise<ReplayedDeadLetter> {
    const { history, deliveries, clock } = this.deps;
    const { _id: old, tenant: lifeId, event, endpoint, sequence } = letter;
    const id = deliveryId(lifeId, event, endpoint, old);
    // An earlier run may have published it before it ended, longer ago than the window in which the
    // server drops a duplicate.
    const isPublished = claim?.earlier !== undefined && (await this.isKnown(id));
    if (!isPublished) {
      const link = { replayOf: old, ...(sequence === undefined ? {} : { sequence }) };
      await deliveries.publish({ lifeId, id, endpoint, event: stored, link });
    }
    const marked = await history.deadLetters.findOneAndUpdate(
      { _id: old, replayed_at: null },
      { $set: { replayed_at: new Date(clock.wallMs()), replay: id } },
      { returnDocument: 'after' },
    );
    // Not found: a concurrent request has marked it, for the same delivery.
    const now = marked ?? (await history.deadLetters.findOne({ _id: old }));
    const at = now?.replayed_at ?? new Date(clock.wallMs());
    return { id: old, delivery_id: id, replayed_at: at.toISOString() };
  }

  private async isKnown(id: string): Promise<boolean> {
    return (await this.deps.history.deliveries.countDocuments({ _id: id })) > 0;
  }
}

/** The event that a dead letter keeps; undefined if it had expired. */
export function eventOfLetter({ frame, seq }: DeadLetterDocument): StoredEvent | undefined {
  return frame === null ? undefined : storedEventOf(decodeEventFrame(frame.value()), seq);
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
