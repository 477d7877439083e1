import type { LocalFault } from '#infra/http/dial/local-fault.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { DeliveryMetrics } from '../delivery-metrics.ts';

export interface LocalFaultsDeps {
  metrics: Pick<DeliveryMetrics, 'localFaults'>;
  log: Log;
  /** Closes the connections that no exchange uses. */
  closeIdle: () => void;
  /** Called for each fault. */
  onFault: (fault: LocalFault) => void;
  /** Monotonic milliseconds. */
  now: () => number;
}

const LOG_EVERY_MS = 60_000;
const CLOSE_IDLE_EVERY_MS = 1000;
const DELAY_MIN_MS = 2000;
const DELAY_MAX_MS = 60_000;
/**
 * Longer than the longest delay with its jitter. After this time without a fault, the next one is
 * new.
 */
const OVER_AFTER_MS = 120_000;

interface Ongoing {
  sinceMs: number;
  lastMs: number;
  loggedMs: number;
  /** Faults since the last log line. */
  count: number;
}

/**
 * Tracks the faults of this machine that prevent sending, for all endpoints of a worker. Counts
 * each fault, logs each kind once a minute, and returns the delay for the delivery. In memory only.
 */
export class LocalFaults {
  private readonly deps: LocalFaultsDeps;
  private readonly ongoing = new Map<LocalFault, Ongoing>();
  private closedIdleMs = Number.NEGATIVE_INFINITY;

  constructor(deps: LocalFaultsDeps) {
    this.deps = deps;
  }

  /**
   * Records a fault that prevented a delivery from being sent.
   *
   * @returns the delay of the delivery in milliseconds: as long as the fault has lasted, within
   * bounds
   */
  report(fault: LocalFault): number {
    const now = this.deps.now();
    const known = this.ongoing.get(fault);
    const isNew = known === undefined || now - known.lastMs > OVER_AFTER_MS;
    const ongoing = isNew
      ? { sinceMs: now, lastMs: now, loggedMs: Number.NEGATIVE_INFINITY, count: 0 }
      : known;
    this.ongoing.set(fault, ongoing);
    ongoing.lastMs = now;
    ongoing.count++;
    this.deps.metrics.localFaults.inc({ fault });
    this.deps.onFault(fault);
    this.log(fault, ongoing);
    this.closeIdleConnections(fault);
    return Math.min(DELAY_MAX_MS, Math.max(DELAY_MIN_MS, now - ongoing.sinceMs));
  }

  private log(fault: LocalFault, ongoing: Ongoing): void {
    if (ongoing.lastMs - ongoing.loggedMs < LOG_EVERY_MS) return;
    const { count } = ongoing;
    ongoing.loggedMs = ongoing.lastMs;
    ongoing.count = 0;
    this.deps.log.error({ fault, put_off: count }, 'delivery.local_fault');
  }

  /** Frees descriptors and ports that idle keep-alive connections hold. */
  private closeIdleConnections(fault: LocalFault): void {
    if (fault !== 'descriptors' && fault !== 'ports' && fault !== 'memory') return;
    const now = this.deps.now();
    if (now - this.closedIdleMs < CLOSE_IDLE_EVERY_MS) return;
    this.closedIdleMs = now;
    this.deps.closeIdle();
  }
}

/** Nothing was sent because of a fault of this machine: not an attempt. */
export class LocalFaultError extends Error {
  readonly fault: LocalFault;
  constructor(fault: LocalFault) {
    super(`a fault of this machine prevented sending the webhook: ${fault}`);
    this.name = 'LocalFaultError';
    this.fault = fault;
  }
}
