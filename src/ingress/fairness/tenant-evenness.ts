/**
 * Whether all tenants that publish send about as many requests. If one sends much less than
 * another, it has to be protected from it.
 *
 * Counts the requests of each tenant in windows of a second. A window is even if it has one
 * tenant, or if each tenant has `COUNT_MIN` requests and a quarter of the busiest one's. After an
 * uneven window, tenants count as uneven for `UNEVEN_MS`, so that one with a request every few
 * seconds stays protected. A tenant that was in neither of the last two windows makes them uneven
 * until it can be judged by a whole window.
 *
 * Memory: the tenants of two windows.
 */
const WINDOW_MS = 1000;
const UNEVEN_MS = 10_000;
const COUNT_MIN = 8;
const SHARE_MIN = 0.25;

export class TenantEvenness {
  private readonly now: () => number;
  private current = new Map<string, number>();
  private previous = new Map<string, number>();
  private windowEndMs = 0;
  private unevenUntilMs = Number.NEGATIVE_INFINITY;

  /** @param now monotonic milliseconds */
  constructor(now: () => number) {
    this.now = now;
  }

  /** Records a request. */
  record(tenant: string): void {
    const nowMs = this.now();
    if (nowMs >= this.windowEndMs) this.beginWindow(nowMs);
    const { current, previous } = this;
    const count = current.get(tenant) ?? 0;
    const isNew = count === 0 && !previous.has(tenant);
    if (isNew && current.size + previous.size > 0) this.markUneven(nowMs + 2 * WINDOW_MS);
    current.set(tenant, count + 1);
  }

  isEven(): boolean {
    return this.now() >= this.unevenUntilMs;
  }

  private beginWindow(nowMs: number): void {
    if (!isEvenWindow(this.current)) this.markUneven(nowMs + UNEVEN_MS);
    this.previous = this.current;
    this.current = new Map();
    this.windowEndMs = nowMs + WINDOW_MS;
  }

  private markUneven(untilMs: number): void {
    this.unevenUntilMs = Math.max(this.unevenUntilMs, untilMs);
  }
}

function isEvenWindow(counts: ReadonlyMap<string, number>): boolean {
  if (counts.size < 2) return true;
  let least = Number.POSITIVE_INFINITY;
  let most = 0;
  for (const count of counts.values()) {
    least = Math.min(least, count);
    most = Math.max(most, count);
  }
  return least >= COUNT_MIN && least >= most * SHARE_MIN;
}
