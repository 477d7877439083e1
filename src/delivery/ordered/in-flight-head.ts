import { type DeliveryHead, decodeDeliveryFrame } from '#wire/frames/delivery-frame.ts';
import { type EventFrame, decodeEventFrame } from '#wire/frames/event-frame.ts';
import type { InFlightDelivery } from '../intake/in-flight-delivery.ts';
import type { HeadState, HeadStep } from './head-state.ts';

const NAK_MS = 1000;

/** The decoded message at the head of a queue. */
export interface HeadFrame {
  head: DeliveryHead;
  eventBytes: Buffer;
  /** Undefined if the event travels by reference. */
  event: EventFrame | undefined;
}

/** @throws SyntaxError if the data is not a delivery, or its event cannot be decoded */
export function decodeHead(data: Uint8Array): HeadFrame {
  const { head, eventBytes } = decodeDeliveryFrame(data);
  const event = head.byReference === undefined ? decodeEventFrame(eventBytes) : undefined;
  return { head, eventBytes, event };
}

export interface InFlightHead {
  frame: HeadFrame;
  state: HeadState;
  where: { tenant: string; endpoint: string };
  /** The delivery's cancellation was requested. */
  cancelled: boolean;
  /** Whether a head that has used up its schedule blocks the endpoint. */
  blocks: boolean;
  /** Monotonic milliseconds. */
  receivedMs: number;
}

/**
 * Presents the head of an ordered queue to its actor as a delivery. The actor's first outcome is
 * reported to `step`; the queue then changes the message.
 */
export function inFlightHead(
  inFlight: InFlightHead,
  step: (step: HeadStep) => void,
): InFlightDelivery {
  const { frame, state, where, cancelled, blocks } = inFlight;
  const { head, eventBytes, event } = frame;
  const { attemptNo, hop, firstAttemptMs } = state;
  const age = firstAttemptMs === undefined ? {} : { firstAttemptMs };
  return {
    ...where,
    message: {
      ack: () => step({ kind: 'done' }),
      nak: (afterMs) => step({ kind: 'retryLater', afterMs: afterMs ?? 0 }),
      // No ack deadline runs: no other worker gets the message.
      working: () => undefined,
    },
    deliveryClass: 'o',
    head: { ...head, attemptNo, hop, ...age, ...(cancelled ? { cancelled } : {}) },
    eventBytes,
    event,
    receivedMs: inFlight.receivedMs,
    queueHandle: {
      blocks,
      isHeld: state.status === 'held',
      wait: (atMs, made) => step({ kind: 'wait', atMs, made }),
      hold: () => step({ kind: 'held' }),
      block: () => step({ kind: 'blocked', attemptNo: attemptNo + 1 }),
      retryLater: () => step({ kind: 'retryLater', afterMs: NAK_MS }),
    },
  };
}
