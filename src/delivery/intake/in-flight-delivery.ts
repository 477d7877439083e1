import type { JsMsg } from '@nats-io/jetstream';
import {
  type DeliveryHead,
  type EventFacts,
  decodeDeliveryFrame,
} from '#wire/frames/delivery-frame.ts';
import { type EventFrame, decodeEventFrame } from '#wire/frames/event-frame.ts';
import { type LaneClass, parseDeliverySubject } from '#wire/subjects.ts';

/** The place of a delivery in the queue of an ordered endpoint, which it keeps until it is settled (DL-16). */
export interface PlaceInQueue {
  /** A delivery that used up its attempts stays, and keeps those behind it back. */
  readonly blocks: boolean;
  /** It is recorded as held already. */
  readonly isHeld: boolean;
  /** To be tried again then; `made`: after an attempt, with the number of the next one. */
  wait(atMs: number, made: { attemptNo: number; firstAttemptMs: number } | undefined): void;
  hold(): void;
  /** Its schedule is used up. */
  block(): void;
  /** Nothing came of it. */
  again(): void;
}

/** A delivery that this worker has in hand: a message of DLV-k, not acked yet. */
export interface OwedDelivery {
  message: Pick<JsMsg, 'ack' | 'nak' | 'working'>;
  /** Absent where the endpoint is not ordered: what waits then leaves as a message of its own. */
  place?: PlaceInQueue;
  tenant: string;
  endpoint: string;
  lane: LaneClass;
  head: DeliveryHead;
  /** The event's frame as it travels; empty where it travels by reference. */
  eventBytes: Buffer;
  /** The event; undefined until it is fetched where it travels by reference. */
  event: EventFrame | undefined;
  /** Monotonic milliseconds. */
  receivedMs: number;
}

/** @throws SyntaxError where the message is not a delivery */
export function readOwedDelivery(message: JsMsg, receivedMs: number): OwedDelivery {
  const { lane, tenant, endpoint } = parseDeliverySubject(message.subject);
  const { head, eventBytes } = decodeDeliveryFrame(message.data);
  return {
    message,
    tenant,
    endpoint,
    lane: lane as LaneClass,
    head,
    eventBytes,
    event: head.byReference === undefined ? decodeEventFrame(eventBytes) : undefined,
    receivedMs,
  };
}

/** What is known of the event, also before it is fetched. */
export function eventFacts(owed: OwedDelivery): EventFacts {
  return owed.event?.head ?? (owed.head.byReference as EventFacts);
}

/** By so much the consumer's ack_wait is longer than the platform's time limit, less a margin. */
const ACK_WAIT_SLACK_MS = 15_000;
const KEEP_EVERY_MS = 10_000;

/**
 * While an attempt runs that may take longer than the consumer waits for an ack: the message asks for more time.
 *
 * @param extraMs by how much the attempt's time limit is over the platform's
 * @returns a timer to clear afterwards
 */
export function keepInHand(owed: OwedDelivery, extraMs: number): NodeJS.Timeout | undefined {
  if (extraMs <= ACK_WAIT_SLACK_MS) return undefined;
  return setInterval(() => owed.message.working(), KEEP_EVERY_MS);
}
