import {
  type CircuitBreakerPolicy,
  CircuitState,
  ConsecutiveBreaker,
  ExponentialBackoff,
  type IPolicy,
  TimeoutStrategy,
  bulkhead,
  circuitBreaker,
  handleWhen,
  timeout,
  wrap,
} from 'cockatiel';
import type { SendResult } from '#infra/http/client/sender.ts';
import { LocalFaultError } from '../local-faults/local-faults.ts';

export interface PolicyOptions {
  circuit: CircuitBreakerPolicy;
  inFlightMax: number;
  timeoutMs: number;
}

const FAILURES_TO_OPEN = 20;
const HALF_OPEN_AFTER_MS = { initialDelay: 2000, maxDelay: 60_000 };

/**
 * Creates the circuit breaker of one endpoint. A `LocalFaultError` says nothing about the receiver,
 * so a closed circuit does not count it. If it ends a half-open probe, the circuit opens again,
 * because cockatiel would otherwise close it. `EndpointSettings.forgetProbe` then restores the
 * previous back-off.
 *
 * @param initialState result of `circuit.toJSON()` from the last passivation of the endpoint's
 * actor
 */
export function endpointCircuit(initialState: unknown): CircuitBreakerPolicy {
  const isFailedProbe = (error: Error): boolean =>
    error instanceof LocalFaultError && circuit.state === CircuitState.HalfOpen;
  const failures = handleWhen(isFailedProbe).orWhenResult(isCircuitFailure);
  const circuit: CircuitBreakerPolicy = circuitBreaker(failures, {
    breaker: new ConsecutiveBreaker(FAILURES_TO_OPEN),
    halfOpenAfter: new ExponentialBackoff(HALF_OPEN_AFTER_MS),
    ...(initialState === undefined ? {} : { initialState }),
  });
  return circuit;
}

/** The cockatiel policies of one endpoint (DL-2), outermost first: bulkhead, circuit, timeout. */
export function endpointPolicies(options: PolicyOptions): IPolicy {
  // The timeout aborts the exchange through its signal; the exchange then reports `timeout`.
  const limit = timeout(options.timeoutMs, {
    strategy: TimeoutStrategy.Cooperative,
    // An abort after every attempt creates a DOMException with its stack: 3 % of a worker's time.
    abortOnReturn: false,
  });
  return wrap(bulkhead(options.inFlightMax), options.circuit, limit);
}

/**
 * Whether the receiver is failing: no answer, a 5xx or a 429. Another 4xx concerns only the
 * delivery.
 */
function isCircuitFailure(value: unknown): boolean {
  const { outcome } = value as SendResult;
  if (outcome.ok) return false;
  return outcome.status === undefined || outcome.status >= 500 || outcome.status === 429;
}
