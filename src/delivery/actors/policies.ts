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
 * Makes the circuit of one endpoint. A `LocalFaultError` says nothing of the receiver: it passes through a closed circuit
 * without being counted. One that ends the probe of a circuit opens it again, as cockatiel would close it otherwise;
 * `EndpointSettings.forgetProbe` takes the longer wait back.
 *
 * @param initialState what `circuit.toJSON()` gave when the endpoint's actor was passivated
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
  // The time limit ends the exchange through its signal, and the exchange then says `timeout`.
  const limit = timeout(options.timeoutMs, {
    strategy: TimeoutStrategy.Cooperative,
    // An abort after each attempt would make a DOMException with its stack: 3 % of a worker's time.
    abortOnReturn: false,
  });
  return wrap(bulkhead(options.inFlightMax), options.circuit, limit);
}

/** The receiver is in trouble: no answer, or a 5xx or 429. A 4xx is about the one delivery. */
function isCircuitFailure(value: unknown): boolean {
  const { outcome } = value as SendResult;
  if (outcome.ok) return false;
  return outcome.status === undefined || outcome.status >= 500 || outcome.status === 429;
}
