import type { Clock } from '#domain/clock.ts';
import { systemClock } from '#infra/system-clock.ts';

/** A clock that only the test advances. */
export class ManualClock implements Clock {
  private wall: number;
  private monotonic: number;

  constructor(startMs = { wall: systemClock.wallMs(), monotonic: 1000 }) {
    this.wall = startMs.wall;
    this.monotonic = startMs.monotonic;
  }

  readonly wallMs = (): number => this.wall;
  readonly monotonicMs = (): number => this.monotonic;

  advance(ms: number): void {
    this.wall += ms;
    this.monotonic += ms;
  }
}

/** The clock of this machine, which a test can move ahead, as for a process that was paused. */
export class ShiftedClock implements Clock {
  private aheadMs = 0;

  readonly wallMs = (): number => systemClock.wallMs() + this.aheadMs;
  readonly monotonicMs = (): number => systemClock.monotonicMs() + this.aheadMs;

  advance(ms: number): void {
    this.aheadMs += ms;
  }
}
