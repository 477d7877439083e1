import { type CircuitBreakerPolicy, CircuitState, type IPolicy } from 'cockatiel';
import type { RetryPolicy } from '#domain/outcome/verdict.ts';
import type { EndpointSnapshot } from '#wire/config-snapshot.ts';
import { endpointCircuit, endpointPolicies } from './policies.ts';
import { RateLimiter } from '../scheduling/rate-limiter.ts';

/** What the platform has where an endpoint says nothing. */
export interface EndpointDefaults {
  retryPolicy: RetryPolicy;
  inFlightMax: number;
  timeoutMs: number;
}

/**
 * The policies of an endpoint as they are in force. A change of the configuration makes anew what it changes;
 * the circuit stays as it is, and a bucket keeps its tokens.
 */
export class EndpointSettings {
  circuit: CircuitBreakerPolicy;
  retryPolicy: RetryPolicy;
  inFlightMax: number;
  timeoutMs: number;
  /** Undefined: no limit, or nothing is sent at present. */
  limiter: RateLimiter | undefined;
  policies: IPolicy;
  private readonly defaults: EndpointDefaults;
  private snapshot: EndpointSnapshot | undefined;
  /** Monotonic milliseconds; undefined: the circuit is closed. */
  private troubledSinceMs: number | undefined;

  /** @param circuitState what `circuit.toJSON()` gave when the endpoint's actor was passivated */
  constructor(defaults: EndpointDefaults, circuitState: unknown) {
    this.defaults = defaults;
    this.circuit = this.watched(endpointCircuit(circuitState));
    this.retryPolicy = defaults.retryPolicy;
    this.inFlightMax = defaults.inFlightMax;
    this.timeoutMs = defaults.timeoutMs;
    this.policies = endpointPolicies(this);
  }

  /** Brings the policies up to date; costs nothing where the snapshot is the same. */
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
    // Attempts under way end in the old bulkhead; the actor counts them among its turns.
    this.policies = endpointPolicies(this);
  }

  /**
   * To be called where the circuit refused. It measures by the wall clock: where that was set back since it opened, it
   * would stay open for as much longer.
   */
  mendCircuit(nowMs: number): void {
    const { ownState, breakerState } = this.circuit.toJSON() as CircuitJson;
    if (ownState.openedAt === undefined || ownState.openedAt <= nowMs) return;
    this.restoreCircuit({ ownState: { ...ownState, openedAt: nowMs }, breakerState });
  }

  /** The state of a circuit that is not closed, to take a probe back to; undefined: it is closed. */
  get openCircuit(): CircuitJson | undefined {
    const { circuit } = this;
    return circuit.state === CircuitState.Closed ? undefined : (circuit.toJSON() as CircuitJson);
  }

  /**
   * After an attempt that came to nothing by a fault of this machine: where it was the circuit's probe, the circuit is open
   * from `nowMs` and otherwise as it was.
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

  /** How long the circuit has not been closed, as far as this process knows; undefined: it is closed. */
  get troubledMs(): number | undefined {
    const { troubledSinceMs } = this;
    return troubledSinceMs === undefined ? undefined : performance.now() - troubledSinceMs;
  }

  private watched(circuit: CircuitBreakerPolicy): CircuitBreakerPolicy {
    const begin = (): void => void (this.troubledSinceMs ??= performance.now());
    if (circuit.state !== CircuitState.Closed) begin();
    circuit.onBreak(begin);
    circuit.onReset(() => {
      this.troubledSinceMs = undefined;
    });
    return circuit;
  }

  private applyRate({ rateLimit, state }: EndpointSnapshot): void {
    // What is held meanwhile needs no token.
    if (rateLimit === undefined || state !== 'active') this.limiter = undefined;
    else if (this.limiter === undefined) {
      this.limiter = new RateLimiter(rateLimit, () => performance.now());
    } else this.limiter.configure(rateLimit);
  }
}

/** What cockatiel's `toJSON` gives; `openedAt` of an open circuit, milliseconds since 1970. */
interface CircuitJson {
  ownState: { openedAt?: number };
  breakerState: unknown;
}
