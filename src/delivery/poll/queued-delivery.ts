import type { StoredMsg } from '@nats-io/jetstream';
import type { PollPolicy } from '#domain/endpoint/endpoint-policy.ts';
import { type DeliveryHead, decodeDeliveryFrame } from '#wire/frames/delivery-frame.ts';
import { type EventFrame, decodeEventFrame } from '#wire/frames/event-frame.ts';
import type { AttemptRecord } from '#wire/frames/record.ts';

/** A delivery in the queue of an endpoint that is polled, or under its lease. */
export interface QueuedDelivery {
  /** Sequence in the stream. */
  seq: number;
  head: DeliveryHead;
  eventBytes: Buffer;
  /** Undefined for an event by reference until it is fetched. */
  event: EventFrame | undefined;
  /** When it entered the queue for the first time, milliseconds since 1970. */
  queuedMs: number;
}

/** @throws SyntaxError if the message is not a delivery */
export function readQueued(message: StoredMsg): QueuedDelivery {
  const { head, eventBytes } = decodeDeliveryFrame(message.data);
  return {
    seq: message.seq,
    head,
    eventBytes,
    event: head.byReference === undefined ? decodeEventFrame(eventBytes) : undefined,
    queuedMs: head.queuedMs ?? message.time.getTime(),
  };
}

/** Why a delivery becomes a dead letter instead of being leased (again); undefined: it does not. */
export function endOf(
  { head, queuedMs }: Pick<QueuedDelivery, 'head' | 'queuedMs'>,
  policy: PollPolicy,
  nowMs: number,
): 'exhausted' | 'too_old' | undefined {
  if (head.attemptNo > policy.leasesMax) return 'exhausted';
  return nowMs > queuedMs + policy.maxAgeSeconds * 1000 ? 'too_old' : undefined;
}

/** The attempt of a lease that ended without a commit; undefined before the first lease. */
export function expiredAttempt(head: DeliveryHead, worker: string): AttemptRecord | undefined {
  const { lease } = head;
  if (lease === undefined) return undefined;
  const { id, no, startedMs, untilMs } = lease;
  const detail = 'the poller did not commit the delivery before its lease ended';
  const durationMs = untilMs - startedMs;
  return { id, no, startedMs, durationMs, worker, failure: 'lease_expired', detail };
}

/** The attempt of a lease that was committed. */
export function committedAttempt(
  head: DeliveryHead,
  worker: string,
  nowMs: number,
): AttemptRecord | undefined {
  const { lease } = head;
  if (lease === undefined) return undefined;
  const { id, no, startedMs } = lease;
  return { id, no, startedMs, durationMs: Math.max(0, nowMs - startedMs), worker };
}
