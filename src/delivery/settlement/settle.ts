/**
 * Settles a delivery after an attempt: stores its next state, then its record, and only then acks
 * the message. A crash before the ack causes a redelivery; the next state is published again under
 * the same message id, and the server drops the duplicate. No crash loses a delivery; at worst a
 * webhook is sent twice with the same `webhook-id` (DL-17).
 */
import type { Verdict } from '#domain/outcome/verdict.ts';
import type { Publication, Publisher } from '#infra/nats/publish/publisher.ts';
import type { RecordGatherer } from '#infra/nats/publish/record-batcher.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { type DeadLetterHead, encodeDeadLetterFrame } from '#wire/frames/dead-letter-frame.ts';
import {
  type DeliveryHead,
  deliveryMessageId,
  encodeDeliveryFrame,
  laneAgain,
} from '#wire/frames/delivery-frame.ts';
import type { LaneView } from '#wire/lane-view.ts';
import type { AttemptRecord, DeliveryRecord } from '#wire/frames/record.ts';
import { type LaneClass, subjects } from '#wire/subjects.ts';
import { LANE_RETURN_MS } from '../lanes/lane-rules.ts';
import { type OwedDelivery, type PlaceInQueue, eventFacts } from '../intake/in-flight-delivery.ts';
import { RetryCalendar } from '../scheduling/retry-smoother.ts';

/** After this time the message stays unacked and is redelivered. */
const STORE_TIMEOUT_MS = 60_000;
/** How long the record of an ordered delivery may wait to be batched with others. */
const ORDERED_WITHIN_MS = 2;
/**
 * How many settled deliveries are remembered, so that a lost ack does not cause a second webhook.
 */
const REMEMBERED_MAX = 20_000;

export type HoldReason = 'endpoint_paused' | 'endpoint_disabled';

export interface SettlerDeps {
  publisher: Publisher;
  records: RecordGatherer;
  lanes: LaneView;
  log: Log;
  /** The brokers' clock, which the schedules use. */
  now: () => number;
}

export class Settler {
  private readonly deps: SettlerDeps;
  private readonly calendar: RetryCalendar;
  private readonly inHand = new Set<string>();
  /** Deliveries whose next state is being stored. */
  private readonly storing = new Set<OwedDelivery>();
  private recent = new Set<string>();
  private older = new Set<string>();

  constructor(deps: SettlerDeps) {
    this.deps = deps;
    this.calendar = new RetryCalendar(deps.now);
  }

  /**
   * Claims a message for processing. `in_hand`: a redelivery while this worker is processing it;
   * `settled`: already settled at this hop, and only its ack was lost.
   */
  claim(head: DeliveryHead): 'new' | 'in_hand' | 'settled' {
    const id = deliveryMessageId(head.id, head.hop);
    if (this.recent.has(id) || this.older.has(id)) return 'settled';
    if (this.inHand.has(id)) return 'in_hand';
    this.inHand.add(id);
    return 'new';
  }

  /** Releases the claim without settling the delivery: the message will be redelivered. */
  unclaim(head: DeliveryHead): void {
    this.inHand.delete(deliveryMessageId(head.id, head.hop));
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
  attempted(owed: OwedDelivery, verdict: Verdict, attempt: AttemptRecord, url: string): void {
    switch (verdict.kind) {
      case 'delivered':
        this.record(owed, { status: 'delivered', attempt });
        return;
      case 'retry':
        this.retry(owed, verdict.delayMs, attempt);
        return;
      case 'dead':
        return this.end(owed, verdict.reason, attempt);
      case 'gone': {
        const { tenant, endpoint } = owed;
        this.deps.records.add({ k: 'endpoint-gone', tenant, endpoint, url }, () => {});
        if (owed.place?.blocks === true)
          this.waitInPlace(owed, owed.place, this.deps.now(), attempt);
        else this.bury(owed, 'gone', attempt);
      }
    }
  }

  /** Delays a delivery without an attempt: its turn has not come, or the circuit is open (DL-7). */
  park(owed: OwedDelivery, delayMs: number): void {
    this.waitUntil(owed, this.deps.now() + delayMs, owed.head.attemptNo, undefined);
  }

  /**
   * Delays a delivery that a fault of this machine prevented from being sent. Its age counts from
   * the first such try.
   *
   * @param triedMs time of the try, milliseconds since 1970
   */
  putOff(owed: OwedDelivery, delayMs: number, triedMs: number): void {
    const { place, head } = owed;
    const isFirst = head.firstAttemptMs === undefined;
    head.firstAttemptMs ??= triedMs;
    if (place === undefined || !isFirst) return this.park(owed, delayMs);
    const { attemptNo, firstAttemptMs } = head;
    place.wait(this.deps.now() + delayMs, { attemptNo, firstAttemptMs });
  }

  /**
   * Ends the retries of a delivery: moves it to the dead letters, or keeps it as the queue's
   * blocked head.
   */
  end(owed: OwedDelivery, reason: string, attempt: AttemptRecord | undefined): void {
    if (owed.place?.blocks === true) this.block(owed, owed.place, attempt);
    else this.bury(owed, reason, attempt);
  }

  /** Holds a delivery until its endpoint is active again (DL-18). */
  hold(owed: OwedDelivery, reason: HoldReason): void {
    const { place } = owed;
    if (place?.isHeld === true) return place.hold();
    if (place !== undefined) {
      return this.record(owed, { status: 'held', reason }, () => place.hold());
    }
    const subject = subjects.held(owed.tenant, owed.endpoint);
    // The held time says nothing about the receiver, so it does not count towards the age.
    const { firstAttemptMs: _, ...head } = nextHop(owed.head);
    this.store(owed, this.publication(subject, head, owed.eventBytes), () => {
      this.record(owed, { status: 'held', reason });
    });
  }

  /** Cancels a delivery, for example because its endpoint no longer exists. */
  cancel(owed: OwedDelivery, reason: string): void {
    this.record(owed, { status: 'cancelled', reason });
  }

  /**
   * Acks a delivery of a deleted tenant. Nothing is recorded, because the tenant's history is
   * removed.
   */
  drop(owed: OwedDelivery): void {
    this.remember(owed.head);
    owed.message.ack();
  }

  /** Moves a delivery with its full event to the dead letters (DL-10). */
  bury(owed: OwedDelivery, reason: string, attempt: AttemptRecord | undefined): void {
    const head: DeadLetterHead = { ...owed.head, reason };
    if (attempt !== undefined) head.lastAttempt = attempt;
    const publication: Publication = {
      subject: subjects.deadLetter(owed.tenant, owed.endpoint),
      // Includes the event even if it travelled by reference: it may expire before the dead letter
      // is read.
      payload: encodeDeadLetterFrame(head, owed.event?.bytes ?? owed.eventBytes),
      messageId: `${deliveryMessageId(owed.head.id, owed.head.hop)}:dead`,
      timeoutMs: STORE_TIMEOUT_MS,
    };
    this.store(owed, publication, () => {
      this.record(owed, { status: 'failed', reason, attempt });
    });
  }

  private retry(owed: OwedDelivery, delayMs: number, attempt: AttemptRecord): void {
    const dueMs = this.deps.now() + delayMs;
    // The head of an ordered queue waits in its worker and needs no schedule.
    const atMs = owed.place === undefined ? this.calendar.take(owed.tenant, dueMs) : dueMs;
    this.waitUntil(owed, atMs, owed.head.attemptNo + 1, attempt);
  }

  private waitUntil(
    owed: OwedDelivery,
    atMs: number,
    attemptNo: number,
    attempt: AttemptRecord | undefined,
  ): void {
    const { place } = owed;
    if (place !== undefined) return this.waitInPlace(owed, place, atMs, attempt);
    const head = { ...nextHop(owed.head), attemptNo };
    if (attempt !== undefined) head.firstAttemptMs ??= attempt.startedMs;
    const subject = subjects.waiting(owed.tenant, owed.endpoint, head.id);
    const publication = this.publication(subject, head, owed.eventBytes);
    publication.schedule = {
      atMs,
      target: subjects.delivery(owed.tenant, owed.endpoint, this.returnLane(owed, atMs)),
    };
    this.store(owed, publication, () => {
      this.record(owed, { status: 'pending', nextAttemptMs: atMs, attempt });
    });
  }

  /**
   * The lane to which a delivery waiting until `atMs` returns. Tenant lanes are guaranteed only for
   * a short time and may be gone after a wait of days; longer waits return to the shared consumer.
   */
  private returnLane(owed: OwedDelivery, atMs: number): LaneClass {
    const shared = laneAgain(eventFacts(owed));
    const soon = atMs - this.deps.now() <= LANE_RETURN_MS;
    return shared === 'r' && soon && this.deps.lanes.has(owed.tenant) ? 't' : shared;
  }

  /** Stores the record first, then saves the queue's state, which counts the attempt. */
  private waitInPlace(
    owed: OwedDelivery,
    place: PlaceInQueue,
    atMs: number,
    attempt: AttemptRecord | undefined,
  ): void {
    if (attempt === undefined) return place.wait(atMs, undefined);
    const firstAttemptMs = owed.head.firstAttemptMs ?? attempt.startedMs;
    const made = { attemptNo: owed.head.attemptNo + 1, firstAttemptMs };
    const waits = () => place.wait(atMs, made);
    this.record(owed, { status: 'pending', nextAttemptMs: atMs, attempt }, waits);
  }

  private block(owed: OwedDelivery, place: PlaceInQueue, attempt: AttemptRecord | undefined): void {
    const state = { status: 'pending', reason: 'blocked', attempt } as const;
    this.record(owed, state, () => place.block());
  }

  private publication(subject: string, head: DeliveryHead, eventBytes: Uint8Array): Publication {
    return {
      subject,
      payload: encodeDeliveryFrame(head, eventBytes),
      messageId: deliveryMessageId(head.id, head.hop),
      timeoutMs: STORE_TIMEOUT_MS,
    };
  }

  private store(owed: OwedDelivery, publication: Publication, stored: () => void): void {
    this.storing.add(owed);
    const taken = this.deps.publisher.publish(publication, (error) => {
      this.storing.delete(owed);
      if (error === undefined) stored();
      // Without an ack, the server redelivers the message after its ack_wait, and the publish is
      // tried again.
      else {
        this.unclaim(owed.head);
        owed.place?.again();
        this.deps.log.error({ error: error.message }, 'delivery.next_state_not_stored');
      }
    });
    if (!taken) this.deps.publisher.whenRoom(() => this.store(owed, publication, stored));
  }

  /** The last step: stores the record, then acks the message or calls the queue handle. */
  private record(
    owed: OwedDelivery,
    state: Pick<DeliveryRecord, 'status'> & {
      reason?: string;
      nextAttemptMs?: number;
      attempt?: AttemptRecord | undefined;
    },
    then: () => void = () => owed.message.ack(),
  ): void {
    const event = eventFacts(owed);
    const record: DeliveryRecord = {
      k: 'delivery',
      tenant: owed.tenant,
      event: event.id,
      type: event.type,
      acceptedMs: event.acceptedMs,
      id: owed.head.id,
      endpoint: owed.endpoint,
      hop: owed.head.hop,
      status: state.status,
    };
    if (state.reason !== undefined) record.reason = state.reason;
    if (state.nextAttemptMs !== undefined) record.nextAttemptMs = state.nextAttemptMs;
    if (state.attempt !== undefined) record.attempt = state.attempt;
    const stored = (): void => {
      // Only now: a redelivery of a delivery known as settled is acked.
      this.remember(owed.head);
      then();
    };
    // The next delivery of the ordered endpoint waits for this record.
    this.deps.records.add(record, stored, owed.place === undefined ? undefined : ORDERED_WITHIN_MS);
  }

  private remember(head: DeliveryHead): void {
    const id = deliveryMessageId(head.id, head.hop);
    this.inHand.delete(id);
    this.recent.add(id);
    if (this.recent.size < REMEMBERED_MAX) return;
    this.older = this.recent;
    this.recent = new Set();
  }
}

function nextHop(head: DeliveryHead): DeliveryHead {
  return { ...head, hop: head.hop + 1 };
}
