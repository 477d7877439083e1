import type { JsMsg } from '@nats-io/jetstream';
import {
  type DeliveryHead,
  type EventFacts,
  decodeDeliveryFrame,
} from '#wire/frames/delivery-frame.ts';
import { type EventFrame, decodeEventFrame } from '#wire/frames/event-frame.ts';
import { type DeliveryClass, parseDeliverySubject } from '#wire/subjects.ts';

/**
 * Handle of a delivery in the queue of an ordered endpoint. The delivery keeps its position until
 * it is settled (DL-16).
 */
export interface QueueHandle {
  /** Whether a delivery that has used up its attempts stays and blocks those behind it. */
  readonly blocks: boolean;
  /** Whether the delivery is already recorded as held. */
  readonly isHeld: boolean;
  /**
   * Schedules the next try at `atMs`. `made` is set after an attempt and has the number of the next
   * one.
   */
  wait(atMs: number, made: { attemptNo: number; firstAttemptMs: number } | undefined): void;
  hold(): void;
  /** The delivery has used up its retry schedule. */
  block(): void;
  /** Processing failed without a result: try again. */
  retryLater(): void;
}

/** A delivery in process at this worker: an unacked message of DLV-k. */
export interface InFlightDelivery {
  message: Pick<JsMsg, 'ack' | 'nak' | 'working'>;
  /**
   * Set for ordered endpoints. Without it, a waiting delivery is scheduled as a separate message.
   */
  queueHandle?: QueueHandle;
  tenant: string;
  endpoint: string;
  deliveryClass: DeliveryClass;
  head: DeliveryHead;
  /** The encoded event frame; empty if the event travels by reference. */
  eventBytes: Buffer;
  /** The event; undefined for an event by reference until it is fetched. */
  event: EventFrame | undefined;
  /** Monotonic milliseconds. */
  receivedMs: number;
}

/** @throws SyntaxError if the message is not a delivery */
export function readInFlightDelivery(message: JsMsg, receivedMs: number): InFlightDelivery {
  const { deliveryClass, tenant, endpoint } = parseDeliverySubject(message.subject);
  const { head, eventBytes } = decodeDeliveryFrame(message.data);
  return {
    message,
    tenant,
    endpoint,
    deliveryClass: deliveryClass as DeliveryClass,
    head,
    eventBytes,
    event: head.byReference === undefined ? decodeEventFrame(eventBytes) : undefined,
    receivedMs,
  };
}

/** The event's metadata, known even before the event is fetched. */
export function eventFacts(delivery: InFlightDelivery): EventFacts {
  return delivery.event?.head ?? (delivery.head.byReference as EventFacts);
}

/** By how much the consumer's ack_wait exceeds the platform's time limit, less a margin. */
const ACK_WAIT_SLACK_MS = 15_000;
const EXTEND_EVERY_MS = 10_000;

/**
 * Extends the ack deadline while an attempt runs, if its time limit may exceed the consumer's
 * ack_wait.
 *
 * @param extraMs by how much the attempt's time limit exceeds the platform's
 * @returns a timer to clear after the attempt
 */
export function extendAckDeadline(
  delivery: InFlightDelivery,
  extraMs: number,
): NodeJS.Timeout | undefined {
  if (extraMs <= ACK_WAIT_SLACK_MS) return undefined;
  return setInterval(() => delivery.message.working(), EXTEND_EVERY_MS);
}
