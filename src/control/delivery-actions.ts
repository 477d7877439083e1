/**
 * What is done with a delivery that waits for its next attempt: sent now, or cancelled (DL-5). A held one can be
 * cancelled too.
 *
 * Both publish the waiting message to the workers and remove its schedule in one step, on the condition that
 * the schedule is still the one that was read. So a schedule that fires at the same time is not sent twice, and
 * a crash leaves either the schedule or what took its place. A cancelled delivery goes to its worker too: that
 * one records the end, as it does for every delivery.
 */
import type { JetStreamManager, StoredMsg } from '@nats-io/jetstream';
import { PosthornError } from '#domain/errors.ts';
import { type Publisher, PublishRefusedError, WRONG_LAST_SEQUENCE } from '#infra/nats/publisher.ts';
import type { CancelledDelivery, RetriedDelivery } from '#wire/api/delivery.ts';
import {
  decodeDeliveryFrame,
  deliveryMessageId,
  encodeDeliveryFrame,
} from '#wire/delivery-frame.ts';
import { shardOf, streams, subjects } from '#wire/subjects.ts';
import type { DeadLetterActions } from './dead-letters/actions.ts';
import type { HeldDeliveries } from './held-deliveries.ts';
import type { DeliveryReads } from './history/delivery-reads.ts';

const STORE_TIMEOUT_MS = 5000;

export interface DeliveryActionsDeps {
  shards: number;
  jsm: () => Promise<JetStreamManager>;
  publisher: Pick<Publisher, 'publishAsync'>;
  deliveries: Pick<DeliveryReads, 'get'>;
  deadLetters: Pick<DeadLetterActions, 'replay'>;
  held: Pick<HeldDeliveries, 'cancel'>;
}

export class DeliveryActions {
  private readonly deps: DeliveryActionsDeps;

  constructor(deps: DeliveryActionsDeps) {
    this.deps = deps;
  }

  /**
   * Sends a waiting delivery now, as the attempt that it waits for; replays the dead letter of one that failed.
   *
   * @throws PosthornError POSTHORN_RESOURCE_UNKNOWN, POSTHORN_DELIVERY_NOT_WAITING, POSTHORN_NATS_UNAVAILABLE,
   *   and those of a replay
   */
  async retry(tenant: string, id: string): Promise<RetriedDelivery> {
    const delivery = await this.deps.deliveries.get(tenant, id);
    if (delivery.status === 'failed') {
      const replayed = await this.deps.deadLetters.replay(tenant, id);
      return { id, delivery_id: replayed.delivery_id };
    }
    await this.takeFromSchedule(tenant, delivery, 'now');
    return { id, delivery_id: id };
  }

  /** @throws PosthornError POSTHORN_RESOURCE_UNKNOWN, POSTHORN_DELIVERY_NOT_WAITING, POSTHORN_NATS_UNAVAILABLE */
  async cancel(tenant: string, id: string): Promise<CancelledDelivery> {
    const delivery = await this.deps.deliveries.get(tenant, id);
    if (delivery.status === 'held') await this.deps.held.cancel(tenant, delivery);
    else await this.takeFromSchedule(tenant, delivery, 'cancel');
    return { id };
  }

  private async takeFromSchedule(
    tenant: string,
    delivery: { id: string; endpoint_id: string; status: string },
    what: 'now' | 'cancel',
  ): Promise<void> {
    const { id, endpoint_id: endpoint, status } = delivery;
    if (status !== 'pending') throw notWaiting(`it is ${status}`);
    const subject = subjects.waiting(tenant, endpoint, id);
    const waiting = await this.read(tenant, subject);
    const target = waiting?.header.get('Nats-Schedule-Target') ?? '';
    if (waiting === undefined || target === '') throw notWaiting('it is being attempted');
    const { head, eventBytes } = decodeDeliveryFrame(waiting.data);
    try {
      await this.deps.publisher.publishAsync({
        subject: target,
        payload: encodeDeliveryFrame(
          what === 'cancel' ? { ...head, cancelled: true } : head,
          eventBytes,
        ),
        // The schedule has the id without the end, and that would make this its repeat.
        messageId: `${deliveryMessageId(id, head.hop)}:${what}`,
        timeoutMs: STORE_TIMEOUT_MS,
        cancels: { subject, seq: waiting.seq },
      });
    } catch (error) {
      if (error instanceof PublishRefusedError && error.code === WRONG_LAST_SEQUENCE) {
        throw notWaiting('it is being attempted');
      }
      throw unavailable(error);
    }
  }

  private async read(tenant: string, subject: string): Promise<StoredMsg | undefined> {
    const stream = streams.deliveries(shardOf(tenant, this.deps.shards));
    try {
      const jsm = await this.deps.jsm();
      return (await jsm.direct.getMessage(stream, { last_by_subj: subject })) ?? undefined;
    } catch (error) {
      throw unavailable(error);
    }
  }
}

function notWaiting(detail: string): PosthornError {
  return new PosthornError('POSTHORN_DELIVERY_NOT_WAITING', { detail });
}

function unavailable(cause: unknown): PosthornError {
  return new PosthornError('POSTHORN_NATS_UNAVAILABLE', { cause });
}
