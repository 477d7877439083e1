/**
 * What follows an attempt: the next state of a delivery is published and stored first, its record with it,
 * and only then the message that was in hand is acked. A crash before the ack brings the message again; the
 * next state is then published again under the same message id and dropped by the server. So nothing is
 * lost at any line, and at worst a webhook is sent twice under the same `webhook-id` (DL-17).
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

/** After this long nothing is acked, and the message comes again by itself. */
const STORE_TIMEOUT_MS = 60_000;
/** How long the record of an ordered delivery waits for others to go with. */
const ORDERED_WITHIN_MS = 2;
/** How many deliveries that were settled are remembered, so that a lost ack costs no second webhook. */
const REMEMBERED_MAX = 20_000;

export type HoldReason = 'endpoint_paused' | 'endpoint_disabled';

export interface SettlerDeps {
  publisher: Publisher;
  records: RecordGatherer;
  lanes: LaneView;
  log: Log;
  /** The brokers' clock, which schedules go by. */
  now: () => number;
}

export class Settler {
  private readonly deps: SettlerDeps;
  private readonly calendar: RetryCalendar;
  private readonly inHand = new Set<string>();
  /** Whose next state is on its way into a stream. */
  private readonly storing = new Set<OwedDelivery>();
  private recent = new Set<string>();
  private older = new Set<string>();

  constructor(deps: SettlerDeps) {
    this.deps = deps;
    this.calendar = new RetryCalendar(deps.now);
  }

  /**
   * Whether a message that came is to be worked on. `in_hand`: it came again while this worker is at it;
   * `settled`: it was settled at this hop, and only its ack was lost.
   */
  claim(head: DeliveryHead): 'new' | 'in_hand' | 'settled' {
    const id = deliveryMessageId(head.id, head.hop);
    if (this.recent.has(id) || this.older.has(id)) return 'settled';
    if (this.inHand.has(id)) return 'in_hand';
    this.inHand.add(id);
    return 'new';
  }

  /** Gives a claimed delivery up unsettled: the message will come again. */
  unclaim(head: DeliveryHead): void {
    this.inHand.delete(deliveryMessageId(head.id, head.hop));
  }

  /** Whether the next state of a delivery of these tenants is not stored yet; its record and its ack follow that. */
  isStoring(of: (tenant: string) => boolean): boolean {
    for (const { tenant } of this.storing) if (of(tenant)) return true;
    return false;
  }

  /** After an attempt. `url` is the endpoint's, for a receiver that said 410. */
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

  /** Puts a delivery off without an attempt: its turn has not come, or the circuit is open (DL-7). */
  park(owed: OwedDelivery, delayMs: number): void {
    this.waitUntil(owed, this.deps.now() + delayMs, owed.head.attemptNo, undefined);
  }

  /**
   * Puts a delivery off whose attempt came to nothing by a fault of this machine. Its age counts from the first time.
   *
   * @param triedMs when the webhook was to be sent, milliseconds since 1970
   */
  putOff(owed: OwedDelivery, delayMs: number, triedMs: number): void {
    const { place, head } = owed;
    const isFirst = head.firstAttemptMs === undefined;
    head.firstAttemptMs ??= triedMs;
    if (place === undefined || !isFirst) return this.park(owed, delayMs);
    const { attemptNo, firstAttemptMs } = head;
    place.wait(this.deps.now() + delayMs, { attemptNo, firstAttemptMs });
  }

  /** A delivery that is tried no more: a dead letter, or kept in its place where the endpoint blocks. */
  end(owed: OwedDelivery, reason: string, attempt: AttemptRecord | undefined): void {
    if (owed.place?.blocks === true) this.block(owed, owed.place, attempt);
    else this.bury(owed, reason, attempt);
  }

  /** Keeps a delivery until its endpoint is active again (DL-18). */
  hold(owed: OwedDelivery, reason: HoldReason): void {
    const { place } = owed;
    if (place?.isHeld === true) return place.hold();
    if (place !== undefined) {
      return this.record(owed, { status: 'held', reason }, () => place.hold());
    }
    const subject = subjects.held(owed.tenant, owed.endpoint);
    // The time in which it was held says nothing of its receiver.
    const { firstAttemptMs: _, ...head } = nextHop(owed.head);
    this.store(owed, this.publication(subject, head, owed.eventBytes), () => {
      this.record(owed, { status: 'held', reason });
    });
  }

  /** The endpoint is gone from the configuration: nothing is owed any more. */
  cancel(owed: OwedDelivery, reason: string): void {
    this.record(owed, { status: 'cancelled', reason });
  }

  /** Acks a delivery of an ended life of its tenant. Nothing is recorded: its history is removed. */
  drop(owed: OwedDelivery): void {
    this.remember(owed.head);
    owed.message.ack();
  }

  /** Moves a delivery to the dead letters, whole (DL-10). */
  bury(owed: OwedDelivery, reason: string, attempt: AttemptRecord | undefined): void {
    const head: DeadLetterHead = { ...owed.head, reason };
    if (attempt !== undefined) head.lastAttempt = attempt;
    const publication: Publication = {
      subject: subjects.deadLetter(owed.tenant, owed.endpoint),
      // Whole, also where it travelled by reference: the event may expire before somebody looks.
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
    // The head of an ordered queue waits in its worker: no schedule fires for it.
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
   * Where what waits until `atMs` comes back. A lane is promised for a short time only: it may be gone when a wait of
   * days ends, so such a wait ends in the consumer that all share.
   */
  private returnLane(owed: OwedDelivery, atMs: number): LaneClass {
    const shared = laneAgain(eventFacts(owed));
    const soon = atMs - this.deps.now() <= LANE_RETURN_MS;
    return shared === 'r' && soon && this.deps.lanes.has(owed.tenant) ? 't' : shared;
  }

  /** The record first: what the queue saves then counts the attempt as made. */
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
      // Not acked: the server gives the message again after its ack_wait, and this is tried anew.
      else {
        this.unclaim(owed.head);
        owed.place?.again();
        this.deps.log.error({ error: error.message }, 'delivery.next_state_not_stored');
      }
    });
    if (!taken) this.deps.publisher.whenRoom(() => this.store(owed, publication, stored));
  }

  /** The last step: the record is stored, then the message in hand is acked, or its place in the queue told. */
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
      // Not before: what comes again and is known as settled is acked.
      this.remember(owed.head);
      then();
    };
    // The next of an ordered endpoint waits for it.
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
