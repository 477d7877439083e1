/**
 * The form of a dead letter in DLQ: the line of its last delivery with what ended it, then the event's frame,
 * whole also where the delivery travelled by reference. Unlike other lines it holds text of the receiver,
 * so it is UTF-8 and not ASCII.
 */
import type { DeliveryHead } from './delivery-frame.ts';
import { asBuffer } from './event-frame.ts';
import type { AttemptRecord } from './record.ts';

/** Why a delivery was given up. */
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
  /** Absent where no attempt ended it. */
  lastAttempt?: AttemptRecord;
}

export interface DeadLetterFrame {
  head: DeadLetterHead;
  /** The event's frame, undecoded; empty where the event had expired. */
  eventBytes: Buffer;
}

const LF = 10;

/** A line of JSON, then the frame of the event. */
export function encodeDeadLetterFrame(head: DeadLetterHead, eventBytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), eventBytes]);
}

/** @throws SyntaxError where the bytes are not a frame */
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
