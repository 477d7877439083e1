import { type CircuitBreakerPolicy, CircuitState, type IPolicy } from 'cockatiel';
import type { RetryPolicy } from '#domain/outcome/verdict.ts';
import type { EndpointSnapshot } from '#wire/config-snapshot.ts';
import { endpointCircuit, endpointPolicies } from './policies.ts';
import { RateLimiter } from '../scheduling/rate-limiter.ts';

/** The platform's settings for endpoints that do not configure their own. */
export interface EndpointDefaults {
  retryPolicy: RetryPolicy;
  inFlightMax: number;
  timeoutMs: number;
}

/**
 * Holds the policies in force for one endpoint. A configuration change replaces only the policies
 * that it affects: the circuit keeps its state, and the token bucket keeps its tokens.
 */
export class EndpointSettings {
  circuit: CircuitBreakerPolicy;
  retryPolicy: RetryPolicy;
  inFlightMax: number;
  timeoutMs: number;
  /** Undefined if there is no rate limit, or if the endpoint is not active. */
  limiter: RateLimiter | undefined;
  policies: IPolicy;
  private readonly defaults: EndpointDefaults;
  private snapshot: EndpointSnapshot | undefined;
  /**
   * Monotonic milliseconds since the circuit left the closed state; undefined while it is closed.
   */
  private unhealthySinceMs: number | undefined;

  /**
   * @param circuitState result of `circuit.toJSON()` from the last passivation of the endpoint's
   * actor
   */
  constructor(defaults: EndpointDefaults, circuitState: unknown) {
    this.defaults = defaults;
    this.circuit = this.watched(endpointCircuit(circuitState));
    this.retryPolicy = defaults.retryPolicy;
    this.inFlightMax = defaults.inFlightMax;
    this.timeoutMs = defaults.timeoutMs;
    this.policies = endpointPolicies(this);
  }

  /** Brings the policies up to date. Costs nothing if the snapshot has not changed. */
  apply(snapshot: EndpointSnapshot | undefined): void {
    if (snapshot === this.snapshot || snapshot === undefined) return;
    this.snapshot = snapshot;
    this.retryPolicy = { ...this.defaults.retryPolicy, ...snapshot.retry };
    this.applyRate(snapshot);
    const inFlightMax = snapshot.inFlightMax ?? this.defaults.inFlightMax;
    const timeoutMs = snapshot.timeoutMs ?? this.defaults.timeoutMs;
    if (inFlightMax === this.inFlightMax && timeoutMs === this.timeoutMs) return;
    this.inFlightMax = inFlightMax;
    this.timeoutMs = timeoutMs;
    // Running attempts finish in the old bulkhead; the actor still counts them as turns.
    this.policies = endpointPolicies(this);
  }

  /**
   * Limits the circuit's opening time to `nowMs`; call it when the circuit rejects an attempt.
   * cockatiel measures by the wall clock. If the clock is set back while the circuit is open, the
   * circuit would stay open for that much longer.
   */
  clampCircuitClock(nowMs: number): void {
    const { ownState, breakerState } = this.circuit.toJSON() as CircuitJson;
    if (ownState.openedAt === undefined || ownState.openedAt <= nowMs) return;
    this.restoreCircuit({ ownState: { ...ownState, openedAt: nowMs }, breakerState });
  }

  /** The state of a circuit that is not closed, for `forgetProbe`; undefined while it is closed. */
  get openCircuit(): CircuitJson | undefined {
    const { circuit } = this;
    return circuit.state === CircuitState.Closed ? undefined : (circuit.toJSON() as CircuitJson);
  }

  /**
   * Undoes a circuit probe that failed because of a fault of this machine. The circuit is open
   * again from `nowMs`, with its earlier failure state.
   *
   * @param before `openCircuit` before the attempt
   */
  forgetProbe(before: CircuitJson | undefined, nowMs: number): void {
    if (before === undefined || this.circuit.state === CircuitState.Closed) return;
    const { ownState, breakerState } = before;
    this.restoreCircuit({ ownState: { ...ownState, openedAt: nowMs }, breakerState });
  }

  private restoreCircuit(state: CircuitJson): void {
    this.circuit = this.watched(endpointCircuit(state));
    this.policies = endpointPolicies(this);
  }

  /**
   * How long the circuit has been out of the closed state, as far as this process knows; undefined
   * while it is closed.
   */
  get unhealthyMs(): number | undefined {
    const { unhealthySinceMs } = this;
    return unhealthySinceMs === undefined ? undefined : performance.now() - unhealthySinceMs;
  }

  private watched(circuit: CircuitBreakerPolicy): CircuitBreakerPolicy {
    const begin = (): void => void (this.unhealthySinceMs ??= performance.now());
    if (circuit.state !== CircuitState.Closed) begin();
    circuit.onBreak(begin);
    circuit.onReset(() => {
      this.unhealthySinceMs = undefined;
    });
    return circuit;
  }

  private applyRate({ rateLimit, state }: EndpointSnapshot): void {
    // Deliveries to an inactive endpoint are held and need no token.
    if (rateLimit === undefined || state !== 'active') this.limiter = undefined;
    else if (this.limiter === undefined) {
      this.limiter = new RateLimiter(rateLimit, () => performance.now());
    } else this.limiter.configure(rateLimit);
  }
}

/** Result of cockatiel's `toJSON`. `openedAt` of an open circuit is in milliseconds since 1970. */
interface CircuitJson {
  ownState: { openedAt?: number };
  breakerState: unknown;
}
