/**
 * The format of a dead letter in DLQ: the head of its last delivery with the reason, then the
 * event's whole frame, even if the delivery travelled by reference. Unlike other heads, this one
 * contains text from the receiver, so it is UTF-8 and not ASCII.
 */
import type { DeliveryHead } from './delivery-frame.ts';
import { asBuffer } from './event-frame.ts';
import type { AttemptRecord } from './record.ts';

/** Why a delivery became a dead letter. */
export const deadLetterReasons = [
  'exhausted',
  'final_status',
  'too_old',
  'gone',
  'event_expired',
  'payload_missing',
  'payload_damaged',
] as const;

export interface DeadLetterHead extends DeliveryHead {
  /** One of `deadLetterReasons`. */
  reason: string;
  /** Absent if no attempt ended it. */
  lastAttempt?: AttemptRecord;
}

export interface DeadLetterFrame {
  head: DeadLetterHead;
  /** The event's frame, undecoded; empty if the event has expired. */
  eventBytes: Buffer;
}

const LF = 10;

/** Encodes a line of JSON, then the frame of the event. */
export function encodeDeadLetterFrame(head: DeadLetterHead, eventBytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), eventBytes]);
}

/** @throws SyntaxError if the bytes are not a frame */
export function decodeDeadLetterFrame(bytes: Uint8Array): DeadLetterFrame {
  const buffer = asBuffer(bytes);
  const end = buffer.indexOf(LF);
  if (end < 0) throw new SyntaxError('a dead letter has no line feed');
  const head = JSON.parse(buffer.toString('utf8', 0, end)) as DeadLetterHead | null;
  if (typeof head?.id !== 'string' || typeof head.reason !== 'string') {
    throw new SyntaxError('a dead letter has no head');
  }
  return { head, eventBytes: buffer.subarray(end + 1) };
}
