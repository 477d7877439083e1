import { type EventLoopUtilization, performance } from 'node:perf_hooks';

const LOOK_EVERY_MS = 50;
const BUSY_FROM = 0.9;
const CALM_BELOW = 0.75;

/** Whether the event loop of this process has had hardly a pause of late; looked at when asked, by no timer. */
export class ProcessLoad {
  private last: EventLoopUtilization = performance.eventLoopUtilization();
  private lookedAtMs = performance.now();
  private busy = false;

  isBusy(): boolean {
    const nowMs = performance.now();
    if (nowMs - this.lookedAtMs < LOOK_EVERY_MS) return this.busy;
    const current = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(current, this.last);
    this.last = current;
    this.lookedAtMs = nowMs;
    this.busy = utilization > (this.busy ? CALM_BELOW : BUSY_FROM);
    return this.busy;
  }
}
