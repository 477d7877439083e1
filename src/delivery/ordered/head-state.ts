/**
 * What becomes of the head of an ordered endpoint's queue: pure, so that it can be tested by itself. It is saved
 * before the head waits, and whoever owns the queue next goes on from there.
 *
 * States: ready -> attempted -> gone from the queue | waiting (by its schedule) | held (its endpoint is not active) |
 * blocked (its schedule is used up, and the endpoint blocks). From each of the last three it becomes ready again.
 */
import type { EndpointState } from '#domain/endpoint/endpoint.ts';

export interface HeadState {
  /** The message's sequence in its stream: the state of another message says nothing of this one. */
  seq: number;
  /** Delivery id. */
  id: string;
  /** The number of the next attempt, from 1. */
  attemptNo: number;
  /** When the first attempt began, milliseconds since 1970; absent before it, and anew after it was held. */
  firstAttemptMs?: number;
  /** Grows with each state that is recorded: the history keeps the one of the highest hop. */
  hop: number;
  /** Milliseconds since 1970. */
  notBeforeMs: number;
  stand: 'ready' | 'held' | 'blocked';
}

/** What an attempt, or the refusal to make one, came to. */
export type HeadStep =
  /** Settled and recorded: it leaves the queue. */
  | { kind: 'done' }
  /** To be tried again; `made` where an attempt was. */
  | { kind: 'wait'; atMs: number; made: { attemptNo: number; firstAttemptMs: number } | undefined }
  | { kind: 'held' }
  | { kind: 'blocked'; attemptNo: number }
  /** Nothing came of it: given back, or a fault of ours. */
  | { kind: 'again'; afterMs: number };

/** A receiver that said 410 is held before the configuration says so: looked at again after this. */
const HELD_AGAIN_MS = 1000;

/** @param saved what is known of the queue's head, if it is this message */
export function headState(
  message: { seq: number; id: string; attemptNo: number; hop: number },
  saved: HeadState | undefined,
): HeadState {
  if (saved?.seq === message.seq) return saved;
  const { seq, id, attemptNo, hop } = message;
  return { seq, id, attemptNo, hop, notBeforeMs: 0, stand: 'ready' };
}

/** The state after a step that leaves the head in its place, and whether it must be saved before the wait. */
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
      return { state: { ...state, ...made, hop, notBeforeMs, stand: 'ready' }, save: true };
    }
    case 'held': {
      const notBeforeMs = nowMs + HELD_AGAIN_MS;
      if (state.stand === 'held') return { state: { ...state, notBeforeMs }, save: false };
      const { firstAttemptMs: _, ...rest } = state;
      return { state: { ...rest, hop, notBeforeMs, stand: 'held' }, save: true };
    }
    case 'blocked':
      return {
        state: { ...state, attemptNo: step.attemptNo, hop, notBeforeMs: 0, stand: 'blocked' },
        save: true,
      };
    case 'again':
      return { state: { ...state, notBeforeMs: nowMs + step.afterMs }, save: false };
  }
}

/** What of the endpoint's configuration decides whether its head goes; undefined: it was deleted. */
export interface HeadEndpoint {
  state: EndpointState;
  blocks: boolean;
}

/**
 * Whether the head is given to the endpoint's actor now. That one cancels what is of a deleted endpoint, and
 * records what is held, once.
 */
export function isDue(
  state: HeadState,
  endpoint: HeadEndpoint | undefined,
  nowMs: number,
): boolean {
  if (endpoint === undefined) return true;
  if (state.stand === 'blocked' && endpoint.blocks) return false;
  if (endpoint.state !== 'active' && state.stand === 'held') return false;
  return nowMs >= state.notBeforeMs;
}

/** Somebody asked for it: it is attempted now, and its age counts from there. */
export function madeReady(state: HeadState): HeadState {
  const { firstAttemptMs: _, ...rest } = state;
  return { ...rest, notBeforeMs: 0, stand: 'ready' };
}
