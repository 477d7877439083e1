/**
 * Controls how much work may start together, so that the event loop keeps headroom. In a loop
 * without pauses, each event waits in every turn for all work that arrived before it.
 *
 * At each check the level is multiplied by `DECREASE` while the loop is busy, and raised by one
 * while it is calm (additive increase, multiplicative decrease: Chiu and Jain, 1989). Held-back
 * work therefore does not return in one burst (ADR 0017).
 */
const CHECK_EVERY_MS = 50;
const BUSY_ABOVE = 0.8;
const CALM_BELOW = 0.7;
const DECREASE = 0.7;

export interface AimdControllerDeps {
  /** Share of the time since the last call in which the event loop worked, 0 to 1. */
  utilization: () => number;
  /** Monotonic milliseconds. */
  now: () => number;
}

export interface AimdRange {
  start: number;
  least: number;
  most: number;
  /** From `most` the level drops to this immediately. */
  fromMost: number;
}

export class AimdController {
  private readonly deps: AimdControllerDeps;
  private readonly range: AimdRange;
  private level: number;
  private checkedAtMs: number;

  constructor(deps: AimdControllerDeps, range: AimdRange) {
    this.deps = deps;
    this.range = range;
    this.level = range.start;
    this.checkedAtMs = deps.now();
  }

  /**
   * Returns the level. Checks the loop when called, without a timer.
   * @param freely true: no work needs headroom
   */
  current(freely = false): number {
    const nowMs = this.deps.now();
    if (nowMs - this.checkedAtMs < CHECK_EVERY_MS) return this.level;
    this.checkedAtMs = nowMs;
    const utilization = this.deps.utilization();
    const { least, most, fromMost } = this.range;
    if (utilization > BUSY_ABOVE && !freely) {
      const lower = this.level === most ? fromMost : Math.floor(this.level * DECREASE);
      this.level = Math.max(least, lower);
    } else if (utilization < CALM_BELOW || freely) {
      this.level = Math.min(most, this.level + 1);
    }
    return this.level;
  }
}
