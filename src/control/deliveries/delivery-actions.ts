/**
 * Sends a delivery that waits for its next attempt now, or cancels it (DL-5). Cancels held
 * deliveries too.
 * Both actions publish the waiting message to the workers and remove its schedule in one step, on
 * the condition that the schedule is unchanged. So a schedule that fires at the same time is not
 * sent twice, and a crash leaves either the schedule or its replacement. A cancelled delivery also
 * goes to its worker, which records the end as for every delivery. Under an `Idempotency-Key` the
 * number of attempts made so far is noted first: a repeat compares it after a crash.
 * The head of an ordered endpoint's queue has no schedule: the request goes to its worker, which
 * answers once the action is stored.
 */
import type { JetStreamManager, StoredMsg } from '@nats-io/jetstream';
import { isPosthornError, PosthornError } from '#domain/errors.ts';
import { apiErrorCode, apiErrors } from '#infra/nats/api-errors.ts';
import type { Publisher } from '#infra/nats/publish/publisher.ts';
import type { ConfigView } from '#wire/config-snapshot.ts';
import type { OrderedAction, OrderedActionResult } from '#wire/ordered-action.ts';
import type { CancelledDelivery, DeliverySummary, RetriedDelivery } from '#wire/api/delivery.ts';
import {
  decodeDeliveryFrame,
  deliveryMessageId,
  encodeDeliveryFrame,
} from '#wire/frames/delivery-frame.ts';
import { shardOf, streams, subjects } from '#wire/subjects.ts';
import type { DeadLetterActions } from '../dead-letters/actions.ts';
import type { ActionClaim } from '../idempotency/action-claim.ts';
import type { HeldDelivery, HeldDeliveries } from './held-deliveries.ts';
import type { DeliveryReads } from '../history/delivery-reads.ts';
import type { OrderedHeads } from './ordered-heads.ts';

const STORE_TIMEOUT_MS = 5000;
/** Note of a request that replays a dead letter; that of another retry is a number of attempts. */
const REPLAY = 'replay';

/** What the history knows of a delivery. */
type DeliveryState = Pick<DeliverySummary, 'id' | 'endpoint_id' | 'status' | 'attempt_count'>;

export interface DeliveryActionsDeps {
  shards: number;
  jsm: () => Promise<JetStreamManager>;
  publisher: Pick<Publisher, 'publishAsync'>;
  deliveries: Pick<DeliveryReads, 'get'>;
  deadLetters: Pick<DeadLetterActions, 'replay'>;
  held: Pick<HeldDeliveries, 'cancel'>;
  orderedHeads: Pick<OrderedHeads, 'act'>;
  config: Pick<ConfigView, 'tenant'>;
}

export class DeliveryActions {
  private readonly deps: DeliveryActionsDeps;

  constructor(deps: DeliveryActionsDeps) {
    this.deps = deps;
  }

  /**
   * Makes the next attempt of a waiting delivery now; replays the dead letter of a failed delivery.
   * A repeat that continues an earlier run starts no further attempt if the earlier run started
   * one.
   *
   * @throws PosthornError POSTHORN_RESOURCE_UNKNOWN, POSTHORN_DELIVERY_NOT_WAITING,
   * POSTHORN_NATS_UNAVAILABLE, and the errors of a replay
   */
  async retry(lifeId: string, id: string, claim?: ActionClaim): Promise<RetriedDelivery> {
    const delivery = await this.deps.deliveries.get(lifeId, id);
    const noted = claim?.earlier?.note;
    if (noted === REPLAY || (noted === undefined && delivery.status === 'failed')) {
      await claim?.note(REPLAY);
      const replayed = await this.deps.deadLetters.replay(lifeId, id, claim);
      return { id, delivery_id: replayed.delivery_id };
    }
    if (noted === undefined || !(await this.wasRetried(lifeId, delivery, Number(noted)))) {
      await this.takeFromSchedule(lifeId, delivery, 'now', claim);
    }
    return { id, delivery_id: id };
  }

  /**
   * A repeat that continues an earlier run succeeds if the delivery was cancelled since.
   *
   * @throws PosthornError POSTHORN_RESOURCE_UNKNOWN, POSTHORN_DELIVERY_NOT_WAITING,
   * POSTHORN_NATS_UNAVAILABLE
   */
  async cancel(lifeId: string, id: string, claim?: ActionClaim): Promise<CancelledDelivery> {
    const delivery = await this.deps.deliveries.get(lifeId, id);
    const { status } = delivery;
    if (claim?.earlier !== undefined && status === 'cancelled') return { id };
    try {
      if (status === 'held') await this.cancelHeld(lifeId, delivery, claim);
      else await this.takeFromSchedule(lifeId, delivery, 'cancel', claim);
    } catch (error) {
      const isWorkersTurn = status === 'held' || status === 'pending';
      if (claim?.earlier?.note === undefined || !isWorkersTurn || !isNotWaiting(error)) throw error;
      throw unavailable(new Error('the worker has not recorded the earlier request yet'));
    }
    return { id };
  }

  /** @param attempts that had been made when the earlier run took the delivery from its schedule */
  private async wasRetried(
    lifeId: string,
    delivery: DeliveryState,
    attempts: number,
  ): Promise<boolean> {
    const { id, endpoint_id: endpoint, status, attempt_count: recorded } = delivery;
    if (status !== 'pending' || recorded > attempts) return true;
    if (this.isOrdered(lifeId, endpoint)) return false;
    const waiting = await this.read(lifeId, subjects.waiting(lifeId, endpoint, id));
    // Without a schedule it is being attempted.
    return waiting === undefined || attemptsOf(waiting) > attempts;
  }

  /**
   * The head of an ordered endpoint's queue is held in its queue; all other held deliveries are in
   * the stream of held messages.
   */
  private async cancelHeld(
    lifeId: string,
    delivery: HeldDelivery,
    claim: ActionClaim | undefined,
  ): Promise<void> {
    const { id, endpoint_id: endpoint } = delivery;
    await claim?.note('cancel');
    if (this.isOrdered(lifeId, endpoint)) {
      const result = await this.askOwner({
        tenant: lifeId,
        endpoint,
        delivery: id,
        what: 'cancel',
      });
      if (result === 'done') return;
    }
    await this.deps.held.cancel(lifeId, delivery);
  }

  private async takeFromSchedule(
    lifeId: string,
    delivery: DeliveryState,
    what: 'now' | 'cancel',
    claim: ActionClaim | undefined,
  ): Promise<void> {
    const { id, endpoint_id: endpoint, status, attempt_count: recorded } = delivery;
    if (status !== 'pending') throw notWaiting(`it is ${status}`);
    const subject = subjects.waiting(lifeId, endpoint, id);
    const waiting = await this.read(lifeId, subject);
    await claim?.note(String(waiting === undefined ? recorded : attemptsOf(waiting)));
    if (waiting === undefined)
      return this.actOnHead({ tenant: lifeId, endpoint, delivery: id, what });
    const target = waiting.header.get('Nats-Schedule-Target');
    if (target === '') throw notWaiting('it is being attempted');
    const { head, eventBytes } = decodeDeliveryFrame(waiting.data);
    try {
      await this.deps.publisher.publishAsync({
        subject: target,
        payload: encodeDeliveryFrame(
          what === 'cancel' ? { ...head, cancelled: true } : head,
          eventBytes,
        ),
        // The schedule has the id without the suffix, so without it the server would drop this
        // message as a duplicate.
        messageId: `${deliveryMessageId(id, head.hop)}:${what}`,
        timeoutMs: STORE_TIMEOUT_MS,
        cancels: { subject, seq: waiting.seq },
      });
    } catch (error) {
      if (apiErrorCode(error) === apiErrors.wrongLastSequence) {
        throw notWaiting('it is being attempted');
      }
      throw unavailable(error);
    }
  }

  /** The delivery has no schedule: it may be the head of an ordered endpoint's queue (DL-16). */
  private async actOnHead(action: OrderedAction): Promise<void> {
    const result = await this.askOwner(action);
    if (result === 'done') return;
    if (result === 'failed') throw unavailable(new Error('the worker could not store it'));
    if (!this.isOrdered(action.tenant, action.endpoint)) throw notWaiting('it is being attempted');
    if (result === 'no_owner') throw unavailable(new Error('no worker has the queue at present'));
    throw notWaiting('it is being attempted, or waits behind others for its ordered endpoint');
  }

  private async askOwner(action: OrderedAction): Promise<OrderedActionResult | 'no_owner'> {
    try {
      return await this.deps.orderedHeads.act(action);
    } catch (error) {
      throw unavailable(error);
    }
  }

  private isOrdered(lifeId: string, endpoint: string): boolean {
    const endpoints = this.deps.config.tenant(lifeId)?.endpoints ?? [];
    return endpoints.find(({ id }) => id === endpoint)?.ordered !== undefined;
  }

  private async read(lifeId: string, subject: string): Promise<StoredMsg | undefined> {
    const stream = streams.deliveries(shardOf(lifeId, this.deps.shards));
    try {
      const jsm = await this.deps.jsm();
      return (await jsm.direct.getMessage(stream, { last_by_subj: subject })) ?? undefined;
    } catch (error) {
      throw unavailable(error);
    }
  }
}

/** Returns the number of attempts that were made of a waiting delivery. */
function attemptsOf(waiting: StoredMsg): number {
  return decodeDeliveryFrame(waiting.data).head.attemptNo - 1;
}

function isNotWaiting(error: unknown): boolean {
  return isPosthornError(error) && error.code === 'POSTHORN_DELIVERY_NOT_WAITING';
}

function notWaiting(detail: string): PosthornError {
  return new PosthornError('POSTHORN_DELIVERY_NOT_WAITING', { detail });
}

function unavailable(cause: unknown): PosthornError {
  return new PosthornError('POSTHORN_NATS_UNAVAILABLE', { cause });
}
