import { type DeliveryHead, decodeDeliveryFrame } from '#wire/frames/delivery-frame.ts';
import { type EventFrame, decodeEventFrame } from '#wire/frames/event-frame.ts';
import type { OwedDelivery } from '../intake/in-flight-delivery.ts';
import type { HeadState, HeadStep } from './head-state.ts';

const NAK_MS = 1000;

/** The message at the head of a queue. */
export interface HeadFrame {
  head: DeliveryHead;
  eventBytes: Buffer;
  /** Undefined where it travels by reference. */
  event: EventFrame | undefined;
}

/** @throws SyntaxError where it is not a delivery, or not of an event */
export function decodeHead(data: Uint8Array): HeadFrame {
  const { head, eventBytes } = decodeDeliveryFrame(data);
  const event = head.byReference === undefined ? decodeEventFrame(eventBytes) : undefined;
  return { head, eventBytes, event };
}

export interface HeadInHand {
  frame: HeadFrame;
  state: HeadState;
  where: { tenant: string; endpoint: string };
  /** Somebody cancelled it. */
  cancelled: boolean;
  /** The endpoint is blocked by what used up its schedule. */
  blocks: boolean;
}

/**
 * The head of an ordered endpoint's queue as its actor takes a delivery. What the actor does with it is told to
 * `step`, the first thing only; the queue does what is to be done with the message.
 */
export function owedHead(inHand: HeadInHand, step: (step: HeadStep) => void): OwedDelivery {
  const { frame, state, where, cancelled, blocks } = inHand;
  const { head, eventBytes, event } = frame;
  const { attemptNo, hop, firstAttemptMs } = state;
  const age = firstAttemptMs === undefined ? {} : { firstAttemptMs };
  return {
    ...where,
    message: {
      ack: () => step({ kind: 'done' }),
      nak: (afterMs) => step({ kind: 'again', afterMs: afterMs ?? 0 }),
      // Nothing is waiting for it: no other worker is given the message meanwhile.
      working: () => undefined,
    },
    lane: 'o',
    head: { ...head, attemptNo, hop, ...age, ...(cancelled ? { cancelled } : {}) },
    eventBytes,
    event,
    receivedMs: performance.now(),
    place: {
      blocks,
      isHeld: state.stand === 'held',
      wait: (atMs, made) => step({ kind: 'wait', atMs, made }),
      hold: () => step({ kind: 'held' }),
      block: () => step({ kind: 'blocked', attemptNo: attemptNo + 1 }),
      again: () => step({ kind: 'again', afterMs: NAK_MS }),
    },
  };
}
