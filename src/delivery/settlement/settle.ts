/**
 * Settles a delivery after an attempt: stores its next state, then its record, and only then acks
 * the message. A crash before the ack causes a redelivery; the next state is published again under
 * the same message id, and the server drops the duplicate. No crash loses a delivery; at worst a
 * webhook is sent twice with the same `webhook-id` (DL-17).
 */
import { RecentIds } from '#domain/bounds/recent-ids.ts';
import type { Verdict } from '#domain/outcome/verdict.ts';
import type { Publication, Publisher } from '#infra/nats/publish/publisher.ts';
import type { RecordBatcher } from '#infra/nats/publish/record-batcher.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { type DeadLetterHead, encodeDeadLetterFrame } from '#wire/frames/dead-letter-frame.ts';
import {
  type DeliveryHead,
  deliveryMessageId,
  encodeDeliveryFrame,
  repeatClassOf,
  replayLinkOf,
} from '#wire/frames/delivery-frame.ts';
import type { LaneView } from '#wire/lane-view.ts';
import type { AttemptRecord, DeliveryRecord } from '#wire/frames/record.ts';
import { type DeliveryClass, subjects } from '#wire/subjects.ts';
import { LANE_RETURN_MS } from '../lanes/lane-rules.ts';
import {
  type InFlightDelivery,
  type QueueHandle,
  eventFacts,
} from '../intake/in-flight-delivery.ts';
import { RetrySmoother } from '../scheduling/retry-smoother.ts';

/** After this time the message stays unacked and is redelivered. */
const STORE_TIMEOUT_MS = 60_000;
/** How long the record of an ordered delivery may wait to be batched with others. */
const ORDERED_WITHIN_MS = 2;
/**
 * How many settled deliveries are remembered, so that a lost ack does not cause a second webhook. A
 * single tenant gets four fifths.
 */
const REMEMBERED_MAX = 25_000;

export type HoldReason = 'endpoint_paused' | 'endpoint_disabled';

export interface SettlerDeps {
  publisher: Publisher;
  records: RecordBatcher;
  lanes: LaneView;
  log: Log;
  /** The brokers' clock, which the schedules use. */
  now: () => number;
}

export class Settler {
  private readonly deps: SettlerDeps;
  private readonly smoother: RetrySmoother;
  private readonly inFlight = new Set<string>();
  /** Deliveries whose next state is being stored. */
  private readonly storing = new Set<InFlightDelivery>();
  private readonly settledIds = new RecentIds(REMEMBERED_MAX);

  constructor(deps: SettlerDeps) {
    this.deps = deps;
    this.smoother = new RetrySmoother(deps.now);
  }

  /**
   * Claims a message for processing. `in_flight`: a redelivery while this worker is processing it;
   * `settled`: already settled at this hop, and only its ack was lost.
   */
  claim(tenant: string, head: DeliveryHead): 'new' | 'in_flight' | 'settled' {
    const id = deliveryMessageId(head.id, head.hop);
    if (this.settledIds.has(tenant, id)) return 'settled';
    if (this.inFlight.has(id)) return 'in_flight';
    this.inFlight.add(id);
    return 'new';
  }

  /** Releases the claim without settling the delivery: the message will be redelivered. */
  unclaim(head: DeliveryHead): void {
    this.inFlight.delete(deliveryMessageId(head.id, head.hop));
  }

  /**
   * Whether the next state of any delivery of these tenants is still being stored. Its record and
   * ack follow.
   */
  isStoring(of: (tenant: string) => boolean): boolean {
    for (const { tenant } of this.storing) if (of(tenant)) return true;
    return false;
  }

  /**
   * Settles a delivery after an attempt. `url` is the endpoint's, for a receiver that answered 410.
   */
  attempted(
    delivery: InFlightDelivery,
    verdict: Verdict,
    attempt: AttemptRecord,
    url: string,
  ): void {
    switch (verdict.kind) {
      case 'delivered':
        this.record(delivery, { status: 'delivered', attempt });
        return;
      case 'retry':
        this.retry(delivery, verdict.delayMs, attempt);
        return;
      case 'dead':
        return this.end(delivery, verdict.reason, attempt);
      case 'gone': {
        const { tenant, endpoint } = delivery;
        this.deps.records.add({ k: 'endpoint-gone', tenant, endpoint, url }, () => {});
        if (delivery.queueHandle?.blocks === true)
          this.waitInQueue(delivery, delivery.queueHandle, this.deps.now(), attempt);
        else this.deadLetter(delivery, 'gone', attempt);
      }
    }
  }

  /** Delays a delivery without an attempt: its turn has not come, or the circuit is open (DL-7). */
  park(delivery: InFlightDelivery, delayMs: number): void {
    this.waitUntil(delivery, this.deps.now() + delayMs, delivery.head.attemptNo, undefined);
  }

  /**
   * Delays a delivery that a fault of this machine prevented from being sent. Its age counts from
   * the first such try.
   *
   * @param triedMs time of the try, milliseconds since 1970
   */
  parkUnsent(delivery: InFlightDelivery, delayMs: number, triedMs: number): void {
    const { queueHandle, head } = delivery;
    const isFirst = head.firstAttemptMs === undefined;
    head.firstAttemptMs ??= triedMs;
    if (queueHandle === undefined || !isFirst) return this.park(delivery, delayMs);
    const { attemptNo, firstAttemptMs } = head;
    queueHandle.wait(this.deps.now() + delayMs, { attemptNo, firstAttemptMs });
  }

  /**
   * Ends the retries of a delivery: moves it to the dead letters, or keeps it as the queue's
   * blocked head.
   */
  end(delivery: InFlightDelivery, reason: string, attempt: AttemptRecord | undefined): void {
    if (delivery.queueHandle?.blocks === true) this.block(delivery, delivery.queueHandle, attempt);
    else this.deadLetter(delivery, reason, attempt);
  }

  /** Holds a delivery until its endpoint is active again (DL-18). */
  hold(delivery: InFlightDelivery, reason: HoldReason): void {
    const { queueHandle } = delivery;
    if (queueHandle?.isHeld === true) return queueHandle.hold();
    if (queueHandle !== undefined) {
      return this.record(delivery, { status: 'held', reason }, () => queueHandle.hold());
    }
    const subject = subjects.held(delivery.tenant, delivery.endpoint);
    // The held time says nothing about the receiver, so it does not count towards the age.
    const { firstAttemptMs: _, ...head } = nextHop(delivery.head);
    this.store(delivery, this.publication(subject, head, delivery.eventBytes), () => {
      this.record(delivery, { status: 'held', reason });
    });
  }

  /** Moves a delivery to the queue of an endpoint that is polled. */
  toPollQueue(delivery: InFlightDelivery): void {
    const subject = subjects.delivery(delivery.tenant, delivery.endpoint, 'p');
    const publication = this.publication(subject, nextHop(delivery.head), delivery.eventBytes);
    this.store(delivery, publication, () => {
      this.remember(delivery);
      delivery.message.ack();
    });
  }

  /** Cancels a delivery, for example because its endpoint no longer exists. */
  cancel(delivery: InFlightDelivery, reason: string): void {
    this.record(delivery, { status: 'cancelled', reason });
  }

  /**
   * Acks a delivery of a deleted tenant. Nothing is recorded, because the tenant's history is
   * removed.
   */
  drop(delivery: InFlightDelivery): void {
    this.remember(delivery);
    delivery.message.ack();
  }

  /** Moves a delivery with its full event to the dead letters (DL-10). */
  deadLetter(delivery: InFlightDelivery, reason: string, attempt: AttemptRecord | undefined): void {
    const head: DeadLetterHead = { ...delivery.head, reason };
    if (attempt !== undefined) head.lastAttempt = attempt;
    const publication: Publication = {
      subject: subjects.deadLetter(delivery.tenant, delivery.endpoint),
      // Includes the event even if it travelled by reference: it may expire before the dead letter
      // is read.
      payload: encodeDeadLetterFrame(head, delivery.event?.bytes ?? delivery.eventBytes),
      messageId: `${deliveryMessageId(delivery.head.id, delivery.head.hop)}:dead`,
      timeoutMs: STORE_TIMEOUT_MS,
    };
    this.store(delivery, publication, () => {
      this.record(delivery, { status: 'failed', reason, attempt });
    });
  }

  private retry(delivery: InFlightDelivery, delayMs: number, attempt: AttemptRecord): void {
    const dueMs = this.deps.now() + delayMs;
    // The head of an ordered queue waits in its worker and needs no schedule.
    const atMs =
      delivery.queueHandle === undefined ? this.smoother.take(delivery.tenant, dueMs) : dueMs;
    this.waitUntil(delivery, atMs, delivery.head.attemptNo + 1, attempt);
  }

  private waitUntil(
    delivery: InFlightDelivery,
    atMs: number,
    attemptNo: number,
    attempt: AttemptRecord | undefined,
  ): void {
    const { queueHandle } = delivery;
    if (queueHandle !== undefined) return this.waitInQueue(delivery, queueHandle, atMs, attempt);
    const head = { ...nextHop(delivery.head), attemptNo };
    if (attempt !== undefined) head.firstAttemptMs ??= attempt.startedMs;
    const subject = subjects.waiting(delivery.tenant, delivery.endpoint, head.id);
    const publication = this.publication(subject, head, delivery.eventBytes);
    publication.schedule = {
      atMs,
      target: subjects.delivery(
        delivery.tenant,
        delivery.endpoint,
        this.returnClassOf(delivery, atMs),
      ),
    };
    this.store(delivery, publication, () => {
      this.record(delivery, { status: 'pending', nextAttemptMs: atMs, attempt });
    });
  }

  /**
   * The lane to which a delivery waiting until `atMs` returns. Tenant lanes are guaranteed only for
   * a short time and may be gone after a wait of days; longer waits return to the shared consumer.
   */
  private returnClassOf(delivery: InFlightDelivery, atMs: number): DeliveryClass {
    const shared = repeatClassOf(eventFacts(delivery));
    const soon = atMs - this.deps.now() <= LANE_RETURN_MS;
    return shared === 'r' && soon && this.deps.lanes.has(delivery.tenant) ? 't' : shared;
  }

  /** Stores the record first, then saves the queue's state, which counts the attempt. */
  private waitInQueue(
    delivery: InFlightDelivery,
    queueHandle: QueueHandle,
    atMs: number,
    attempt: AttemptRecord | undefined,
  ): void {
    if (attempt === undefined) return queueHandle.wait(atMs, undefined);
    const firstAttemptMs = delivery.head.firstAttemptMs ?? attempt.startedMs;
    const made = { attemptNo: delivery.head.attemptNo + 1, firstAttemptMs };
    const waits = () => queueHandle.wait(atMs, made);
    this.record(delivery, { status: 'pending', nextAttemptMs: atMs, attempt }, waits);
  }

  private block(
    delivery: InFlightDelivery,
    queueHandle: QueueHandle,
    attempt: AttemptRecord | undefined,
  ): void {
    const state = { status: 'pending', reason: 'blocked', attempt } as const;
    this.record(delivery, state, () => queueHandle.block());
  }

  private publication(subject: string, head: DeliveryHead, eventBytes: Uint8Array): Publication {
    return {
      subject,
      payload: encodeDeliveryFrame(head, eventBytes),
      messageId: deliveryMessageId(head.id, head.hop),
      timeoutMs: STORE_TIMEOUT_MS,
    };
  }

  private store(delivery: InFlightDelivery, publication: Publication, stored: () => void): void {
    this.storing.add(delivery);
    const taken = this.deps.publisher.publish(publication, (error) => {
      this.storing.delete(delivery);
      if (error === undefined) stored();
      // Without an ack, the server redelivers the message after its ack_wait, and the publish is
      // tried again.
      else {
        this.unclaim(delivery.head);
        delivery.queueHandle?.retryLater();
        this.deps.log.error({ error: error.message }, 'delivery.next_state_not_stored');
      }
    });
    if (!taken) this.deps.publisher.whenRoom(() => this.store(delivery, publication, stored));
  }

  /** The last step: stores the record, then acks the message or calls the queue handle. */
  private record(
    delivery: InFlightDelivery,
    state: Pick<DeliveryRecord, 'status'> & {
      reason?: string;
      nextAttemptMs?: number;
      attempt?: AttemptRecord | undefined;
    },
    then: () => void = () => delivery.message.ack(),
  ): void {
    const event = eventFacts(delivery);
    const record: DeliveryRecord = {
      k: 'delivery',
      tenant: delivery.tenant,
      event: event.id,
      type: event.type,
      acceptedMs: event.acceptedMs,
      id: delivery.head.id,
      endpoint: delivery.endpoint,
      hop: delivery.head.hop,
      status: state.status,
      ...replayLinkOf(delivery.head),
    };
    if (state.reason !== undefined) record.reason = state.reason;
    if (state.nextAttemptMs !== undefined) record.nextAttemptMs = state.nextAttemptMs;
    if (state.attempt !== undefined) record.attempt = state.attempt;
    const stored = (): void => {
      // Only now: a redelivery of a delivery known as settled is acked.
      this.remember(delivery);
      then();
    };
    // The next delivery of the ordered endpoint waits for this record.
    this.deps.records.add(
      record,
      stored,
      delivery.queueHandle === undefined ? undefined : ORDERED_WITHIN_MS,
    );
  }

  private remember({ tenant, head }: InFlightDelivery): void {
    const id = deliveryMessageId(head.id, head.hop);
    this.inFlight.delete(id);
    this.settledIds.add(tenant, id);
  }
}

function nextHop(head: DeliveryHead): DeliveryHead {
  return { ...head, hop: head.hop + 1 };
}
