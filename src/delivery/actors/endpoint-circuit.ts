import {
  type CircuitBreakerPolicy,
  CircuitState,
  ConsecutiveBreaker,
  ExponentialBackoff,
  type IBackoff,
  type IHalfOpenAfterBackoffContext,
  circuitBreaker,
  handleWhen,
} from 'cockatiel';
import type { SendResult } from '#infra/http/client/sender.ts';
import { LocalFaultError } from '../local-faults/local-faults.ts';

const FAILURES_TO_OPEN = 20;
const PROBE_DELAYS = new ExponentialBackoff({ initialDelay: 2000, maxDelay: 60_000 });

/**
 * Circuit breaker of one endpoint (DL-2): cockatiel's, which decides when to open, probe and close.
 * It opens after `FAILURES_TO_OPEN` failures in a row and probes after 2 s to 60 s.
 *
 * A `LocalFaultError` says nothing about the receiver. A closed circuit does not count it. If it
 * ends a probe, the circuit opens for the same delay as before: cockatiel would otherwise close it.
 *
 * The object outlives the endpoint's actor while the circuit is not closed (`ActivationTable`). It
 * is lost in a crash, and the shard's next owner starts with a closed circuit.
 */
export class EndpointCircuit {
  readonly policy: CircuitBreakerPolicy;
  private readonly now: () => number;
  /** Monotonic milliseconds at which the circuit opened; undefined while it is closed. */
  private unhealthySinceMs: number | undefined;

  /** @param now monotonic milliseconds */
  constructor(now: () => number) {
    this.now = now;
    const failures = handleWhen((error) => this.isFailedProbe(error)).orWhenResult(isFailure);
    this.policy = circuitBreaker(failures, {
      breaker: new ConsecutiveBreaker(FAILURES_TO_OPEN),
      halfOpenAfter: { next: () => new ProbeDelay(PROBE_DELAYS.next(), now) },
    });
    this.policy.onBreak(() => {
      this.unhealthySinceMs ??= now();
    });
    this.policy.onReset(() => {
      this.unhealthySinceMs = undefined;
    });
  }

  /** Attempts are rejected until the next probe is due. */
  get isOpen(): boolean {
    return this.policy.state === CircuitState.Open;
  }

  get isClosed(): boolean {
    return this.policy.state === CircuitState.Closed;
  }

  /** Milliseconds since the circuit opened, through failed probes; undefined while it is closed. */
  get unhealthyMs(): number | undefined {
    return this.unhealthySinceMs === undefined ? undefined : this.now() - this.unhealthySinceMs;
  }

  private isFailedProbe(error: Error): boolean {
    return error instanceof LocalFaultError && this.policy.state === CircuitState.HalfOpen;
  }
}

/**
 * Time until the next probe, by the monotonic clock. cockatiel compares `duration` with the wall
 * clock at each attempt, and a clock that was set back would keep the circuit open for as much
 * longer. So `duration` answers that comparison: infinite until the delay ends, 0 afterwards.
 */
class ProbeDelay implements IBackoff<IHalfOpenAfterBackoffContext> {
  private readonly delay: IBackoff<unknown>;
  private readonly now: () => number;
  private readonly endsMs: number;

  constructor(delay: IBackoff<unknown>, now: () => number) {
    this.delay = delay;
    this.now = now;
    this.endsMs = now() + delay.duration;
  }

  get duration(): number {
    return this.now() < this.endsMs ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  }

  /** The delay after a failed probe: longer, unless a fault of this machine ended the probe. */
  next({ result }: IHalfOpenAfterBackoffContext): ProbeDelay {
    const isLocal = 'error' in result && result.error instanceof LocalFaultError;
    return new ProbeDelay(isLocal ? this.delay : this.delay.next(undefined), this.now);
  }
}

/**
 * Whether the receiver is failing: no answer, a 5xx or a 429. Another 4xx concerns only the
 * delivery.
 */
function isFailure(value: unknown): boolean {
  const { outcome } = value as SendResult;
  if (outcome.ok) return false;
  return outcome.status === undefined || outcome.status >= 500 || outcome.status === 429;
}
