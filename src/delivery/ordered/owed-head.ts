import type { StoredMsg } from '@nats-io/jetstream';
import { decodeDeliveryFrame } from '#wire/delivery-frame.ts';
import { decodeEventFrame } from '#wire/event-frame.ts';
import type { OwedDelivery } from '../owed-delivery.ts';
import type { HeadState, HeadStep } from './head-state.ts';

const NAK_MS = 1000;

export interface HeadInHand {
  message: StoredMsg;
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
 *
 * @throws SyntaxError where the message is not a delivery
 */
export function owedHead(inHand: HeadInHand, step: (step: HeadStep) => void): OwedDelivery {
  const { message, state, where, cancelled, blocks } = inHand;
  const { head, eventBytes } = decodeDeliveryFrame(message.data);
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
    event: head.byReference === undefined ? decodeEventFrame(eventBytes) : undefined,
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
