import { TimeoutStrategy, timeout } from 'cockatiel';
import type { Clock } from '#domain/clock.ts';
import type { RetryPolicy } from '#domain/outcome/verdict.ts';
import type { EndpointSnapshot } from '#wire/config-snapshot.ts';
import { EndpointBulkhead } from './endpoint-bulkhead.ts';
import { EndpointCircuit } from './endpoint-circuit.ts';
import { RateLimiter } from '../scheduling/rate-limiter.ts';

/** The platform's settings for endpoints that do not configure their own. */
export interface EndpointDefaults {
  retryPolicy: RetryPolicy;
  inFlightMax: number;
  timeoutMs: number;
}

/** Runs an attempt under policies. The signal aborts at the time limit. */
export interface AttemptPolicy {
  execute: <T>(attempt: (context: { signal: AbortSignal }) => Promise<T>) => Promise<T>;
}

/**
 * Holds the policies in force for one endpoint. A configuration change replaces only the policies
 * that it affects: the circuit keeps its state, and the token bucket keeps its tokens.
 */
export class EndpointSettings {
  readonly circuit: EndpointCircuit;
  readonly bulkhead: EndpointBulkhead;
  retryPolicy: RetryPolicy;
  timeoutMs: number;
  /** Undefined if there is no rate limit, or if the endpoint is not active. */
  limiter: RateLimiter | undefined;
  /** The policies of an attempt, outermost first: circuit, time limit. */
  attemptPolicy: AttemptPolicy;
  private readonly defaults: EndpointDefaults;
  private readonly clock: Clock;
  private snapshot: EndpointSnapshot | undefined;

  /** @param circuit the circuit that the endpoint's last actor left, if it was not closed */
  constructor(defaults: EndpointDefaults, clock: Clock, circuit: EndpointCircuit | undefined) {
    this.defaults = defaults;
    this.clock = clock;
    this.circuit = circuit ?? new EndpointCircuit(clock.monotonicMs);
    this.bulkhead = new EndpointBulkhead(defaults.inFlightMax);
    this.retryPolicy = defaults.retryPolicy;
    this.timeoutMs = defaults.timeoutMs;
    this.attemptPolicy = attemptPolicy(this.circuit, this.timeoutMs);
  }

  /** Brings the policies up to date. Costs nothing if the snapshot has not changed. */
  apply(snapshot: EndpointSnapshot | undefined): void {
    if (snapshot === this.snapshot || snapshot === undefined) return;
    this.snapshot = snapshot;
    this.retryPolicy = { ...this.defaults.retryPolicy, ...snapshot.retry };
    this.applyRate(snapshot);
    this.bulkhead.resize(snapshot.inFlightMax ?? this.defaults.inFlightMax);
    const timeoutMs = snapshot.timeoutMs ?? this.defaults.timeoutMs;
    if (timeoutMs === this.timeoutMs) return;
    this.timeoutMs = timeoutMs;
    this.attemptPolicy = attemptPolicy(this.circuit, timeoutMs);
  }

  private applyRate({ rateLimit, state }: EndpointSnapshot): void {
    // Deliveries to an inactive endpoint are held and need no token.
    if (rateLimit === undefined || state !== 'active') this.limiter = undefined;
    else if (this.limiter === undefined) {
      this.limiter = new RateLimiter(rateLimit, this.clock.monotonicMs);
    } else this.limiter.configure(rateLimit);
  }
}

function attemptPolicy(circuit: EndpointCircuit, timeoutMs: number): AttemptPolicy {
  // At the limit the exchange is aborted through its signal, and reports `timeout`.
  const limit = timeout(timeoutMs, {
    strategy: TimeoutStrategy.Cooperative,
    // An abort after every attempt creates a DOMException with its stack: 3 % of a worker's time.
    abortOnReturn: false,
  });
  // Without cockatiel's `wrap`: it passes the limit a signal which never aborts and which the whole
  // process shares. Each attempt would add a listener to it, and adding or removing one costs in
  // proportion to the attempts in flight.
  return { execute: (attempt) => circuit.policy.execute(() => limit.execute(attempt)) };
}
