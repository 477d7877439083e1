/**
 * The format of a delivery in DLV-k: one line of JSON with the delivery's state, then the event's
 * unchanged frame. The router puts the line in front of the bytes it received; a retry changes only
 * the line.
 */
import type { EndpointSnapshot } from '../config-snapshot.ts';
import { type EventHead, asBuffer } from './event-frame.ts';
import type { DeliveryClass } from '../subjects.ts';

/** Facts that a replay keeps. A delivery with `replayOf` or `replay` is a replay. */
export interface ReplayLink {
  /** The number of the delivery, of a sequenced endpoint (DL-23); a replay keeps it. */
  sequence?: number;
  /** The delivery that this one sends again. */
  replayOf?: string;
  /** The job that made it. Without `replayOf`: a delivery that had never been made. */
  replay?: string;
}

export interface DeliveryHead extends ReplayLink {
  /** Delivery id. */
  id: string;
  endpoint: string;
  /** The number of the next attempt, from 1. */
  attemptNo: number;
  /** Incremented at each publication (retry, park, hold, release): part of the message id. */
  hop: number;
  /** When the first attempt began, ms since 1970; absent before it, and reset by a hold. */
  firstAttemptMs?: number;
  /** The event's sequence in its EV stream. */
  eventSeq: number;
  /** The event's bytes are not included: the worker fetches them by `eventSeq` (large events). */
  byReference?: EventFacts;
  /** Released by a request while its endpoint was not active: it is sent, also then. */
  released?: true;
  /** When it entered the queue of an endpoint that is polled, ms since 1970. */
  queuedMs?: number;
  /** Its lease, in force or expired; absent before the first one. */
  lease?: DeliveryLease;
  /** Cancelled while it waited: the worker records that, and sends nothing. */
  cancelled?: true;
  /** `traceparent` of the fan-out, if it is traced. */
  trace?: string;
  /** `traceparent` of the last attempt, if it is traced. */
  previous?: string;
}

/** A poller's lease of a delivery (DL-19): an attempt. */
export interface DeliveryLease {
  /** Attempt id. */
  id: string;
  /** Number of the attempt, from 1. */
  no: number;
  startedMs: number;
  untilMs: number;
}

/** The link of a delivery, without its other fields. */
export function replayLinkOf({ sequence, replayOf, replay }: ReplayLink): ReplayLink {
  return {
    ...(sequence === undefined ? {} : { sequence }),
    ...(replayOf === undefined ? {} : { replayOf }),
    ...(replay === undefined ? {} : { replay }),
  };
}

/** Whether a delivery was made by a replay. */
export function isReplay({ replayOf, replay }: ReplayLink): boolean {
  return replayOf !== undefined || replay !== undefined;
}

/** The facts that the history needs of an event whose bytes are elsewhere. */
export type EventFacts = Pick<EventHead, 'id' | 'type' | 'acceptedMs' | 'priority'>;

/** The class of the first delivery of an event, without lanes (IN-11). */
export function firstClassOf(event: Pick<EventHead, 'priority'>): DeliveryClass {
  return event.priority === 'high' ? 'h' : 's';
}

/**
 * The class of a delivery that is published again: high priority keeps its class, others yield to
 * new deliveries. A delivery of an ordered endpoint goes to the end of its queue.
 */
export function repeatClassOf(
  event: Pick<EventHead, 'priority'>,
  endpoint?: Pick<EndpointSnapshot, 'ordered' | 'poll'>,
): DeliveryClass {
  if (endpoint?.poll !== undefined) return 'p';
  if (endpoint?.ordered !== undefined) return 'o';
  return event.priority === 'high' ? 'h' : 'r';
}

export interface DeliveryFrame {
  head: DeliveryHead;
  /** The event's frame, undecoded. */
  eventBytes: Buffer;
}

const LF = 10;

/** Encodes a line of JSON, then the event's frame; nothing follows if it travels by reference. */
export function encodeDeliveryFrame(head: DeliveryHead, eventBytes: Uint8Array): Buffer {
  const { byReference } = head;
  // The line is ASCII: ids, numbers, trace contexts, and an escaped type.
  const line = byReference === undefined ? JSON.stringify(head) : asciiJson(head);
  const out = Buffer.allocUnsafe(line.length + 1 + eventBytes.length);
  out.write(line, 0, 'latin1');
  out[line.length] = LF;
  out.set(eventBytes, line.length + 1);
  return out;
}

function asciiJson(head: DeliveryHead): string {
  return JSON.stringify(head).replaceAll(
    /[^\u0020-\u007e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** @throws SyntaxError if the bytes are not a frame */
export function decodeDeliveryFrame(bytes: Uint8Array): DeliveryFrame {
  const buffer = asBuffer(bytes);
  const end = buffer.indexOf(LF);
  if (end < 0) throw new SyntaxError('a delivery frame has no line feed');
  const head = JSON.parse(buffer.toString('latin1', 0, end)) as DeliveryHead | null;
  if (typeof head?.id !== 'string') throw new SyntaxError('a delivery frame has no head');
  return { head, eventBytes: buffer.subarray(end + 1) };
}

/** The `Nats-Msg-Id` of a delivery: the server drops a repeat of the same step. */
export function deliveryMessageId(deliveryId: string, hop: number): string {
  return `${deliveryId}:${hop}`;
}
