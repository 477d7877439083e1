/**
 * State machine of the head of an ordered endpoint's queue, as pure functions. The state is saved
 * before the head waits, and the queue's next owner continues from it.
 *
 * States: ready -> attempted -> removed from the queue | waiting (for its retry) | held (its
 * endpoint is not active) | blocked (its schedule is used up, and the endpoint blocks). Waiting,
 * held and blocked return to ready.
 */
import type { EndpointStatus } from '#domain/endpoint/endpoint.ts';

export interface HeadState {
  /**
   * Stream sequence of the message. A state saved for another message does not apply to this one.
   */
  seq: number;
  /** Delivery id. */
  id: string;
  /** The number of the next attempt, from 1. */
  attemptNo: number;
  /**
   * Start of the first attempt, milliseconds since 1970; absent before it, and again after a hold.
   */
  firstAttemptMs?: number;
  /** Grows with each recorded state: the history keeps the state with the highest hop. */
  hop: number;
  /** Milliseconds since 1970. */
  notBeforeMs: number;
  status: 'ready' | 'held' | 'blocked';
}

/** Result of an attempt, or of the decision not to make one. */
export type HeadStep =
  /** Settled and recorded: the head leaves the queue. */
  | { kind: 'done' }
  /** Retry at `atMs`; `made` is set if an attempt was made. */
  | { kind: 'wait'; atMs: number; made: { attemptNo: number; firstAttemptMs: number } | undefined }
  | { kind: 'held' }
  | { kind: 'blocked'; attemptNo: number }
  /** No result: the delivery was returned, or an internal error occurred. */
  | { kind: 'retryLater'; afterMs: number };

/**
 * An endpoint that answered 410 is held before the configuration says so: check again after this
 * time.
 */
const HELD_CHECK_MS = 1000;

/** @param saved the queue's saved head state, possibly of another message */
export function headState(
  message: { seq: number; id: string; attemptNo: number; hop: number },
  saved: HeadState | undefined,
): HeadState {
  if (saved?.seq === message.seq) return saved;
  const { seq, id, attemptNo, hop } = message;
  return { seq, id, attemptNo, hop, notBeforeMs: 0, status: 'ready' };
}

/**
 * Returns the state after a step that keeps the head in the queue, and whether to save it before
 * the wait.
 */
export function afterStep(
  state: HeadState,
  step: Exclude<HeadStep, { kind: 'done' }>,
  nowMs: number,
): { state: HeadState; save: boolean } {
  const hop = state.hop + 1;
  switch (step.kind) {
    case 'wait': {
      const { atMs: notBeforeMs, made } = step;
      if (made === undefined) return { state: { ...state, notBeforeMs }, save: false };
      return { state: { ...state, ...made, hop, notBeforeMs, status: 'ready' }, save: true };
    }
    case 'held': {
      const notBeforeMs = nowMs + HELD_CHECK_MS;
      if (state.status === 'held') return { state: { ...state, notBeforeMs }, save: false };
      const { firstAttemptMs: _, ...rest } = state;
      return { state: { ...rest, hop, notBeforeMs, status: 'held' }, save: true };
    }
    case 'blocked':
      return {
        state: { ...state, attemptNo: step.attemptNo, hop, notBeforeMs: 0, status: 'blocked' },
        save: true,
      };
    case 'retryLater':
      return { state: { ...state, notBeforeMs: nowMs + step.afterMs }, save: false };
  }
}

/** The endpoint's settings that decide whether its head starts; undefined if it was deleted. */
export interface HeadEndpoint {
  state: EndpointStatus;
  blocks: boolean;
}

/**
 * Whether the endpoint's actor gets the head now. The actor cancels deliveries of a deleted
 * endpoint, and records a hold once.
 */
export function isDue(
  state: HeadState,
  endpoint: HeadEndpoint | undefined,
  nowMs: number,
): boolean {
  if (endpoint === undefined) return true;
  if (state.status === 'blocked' && endpoint.blocks) return false;
  if (endpoint.state !== 'active' && state.status === 'held') return false;
  return nowMs >= state.notBeforeMs;
}

/** Makes the head ready on request: it is attempted now, and its age counts from that attempt. */
export function madeReady(state: HeadState): HeadState {
  const { firstAttemptMs: _, ...rest } = state;
  return { ...rest, notBeforeMs: 0, status: 'ready' };
}

/** The stored form. It names the status `stand`, as values of earlier versions do. */
type StoredHeadState = Omit<HeadState, 'status'> & { stand: HeadState['status'] };

/** The value of the bucket ORDERED for a head. */
export function encodeHeadState({ status, ...rest }: HeadState): string {
  const stored: StoredHeadState = { ...rest, stand: status };
  return JSON.stringify(stored);
}

/** @throws SyntaxError for a damaged value */
export function decodeHeadState(text: string): HeadState {
  const { stand, ...rest } = JSON.parse(text) as StoredHeadState;
  return { ...rest, status: stand };
}
