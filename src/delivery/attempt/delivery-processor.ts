/**
 * What one turn of an endpoint does with a delivery (DL-2), by the endpoint's state at that moment: not configured any
 * more -> cancelled; paused or disabled -> held; circuit open -> parked; else attempted and judged. Whatever happens, a
 * delivery leaves through the settler, or stays unacked and comes again. When a turn begins, and how many run at once,
 * is the actor's (`endpoint-actor.ts`).
 */
import { isBrokenCircuitError } from 'cockatiel';
import { judge } from '#domain/outcome/verdict.ts';
import { tenantIdOf } from '#domain/tenant.ts';
import type { LocalFault } from '#infra/http/dial/local-fault.ts';
import type { SendResult } from '#infra/http/client/sender.ts';
import type { TenantLives } from '#infra/tenant-lives.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { Tracing } from '#infra/telemetry/tracing.ts';
import type { EndpointSnapshot } from '#wire/config-snapshot.ts';
import type { EventFrame, PayloadRef } from '#wire/frames/event-frame.ts';
import type { OutboundEvent } from '#wire/webhook/webhook-request.ts';
import { attemptRecord } from './attempt.ts';
import type { DeliveryMetrics } from '../delivery-metrics.ts';
import type { EndpointSender } from './endpoint-sender.ts';
import type { EndpointSettings } from '../actors/endpoint-settings.ts';
import type { EndpointTarget } from './endpoint-target.ts';
import type { EventFetcher } from '../intake/event-fetcher.ts';
import { LocalFaultError, type LocalFaults } from '../local-faults/local-faults.ts';
import { type OwedDelivery, eventFacts, keepInHand } from '../intake/in-flight-delivery.ts';
import type { Parking } from '../settlement/parking.ts';
import type { Payloads } from './payloads.ts';
import type { Settler } from '../settlement/settle.ts';
import { tracedAttempt } from './traced-attempt.ts';

/** While others hold the memory for large payloads. */
const MEMORY_PARK_MS = 1000;
/** A delivery that waited this long in the mailbox asks for more time before it is attempted. */
const EXTEND_AFTER_MS = 10_000;
/** After a fault of ours, a message is given again after this time. */
const FAULT_RETRY_MS = 5000;

/** What the turns of all endpoints of a worker share. */
export interface TurnDeps {
  settler: Settler;
  events: EventFetcher;
  payloads: Payloads;
  metrics: DeliveryMetrics;
  localFaults: LocalFaults;
  /** Absent: no spans. */
  tracing?: Tracing | undefined;
  lives: TenantLives;
  log: Log;
  worker: string;
  /** Configurations under which the receiver said 410: nothing is sent until they change. */
  gone: WeakSet<EndpointSnapshot>;
  /** Asks for a tenant's configuration unless it was asked for after `sinceMs` (monotonic). */
  refreshTenant: (tenant: string, sinceMs: number) => Promise<void>;
  /** Whether this worker still owns the tenant's shard, by the clock: asked before each attempt. */
  mayWork: (tenant: string) => boolean;
  /** The platform's time limit of an attempt. */
  timeoutMs: number;
  now: () => number;
  random: () => number;
}

/** What is of the one endpoint. */
export interface TurnParts {
  /** The endpoint's configuration at this moment. */
  snapshot: () => EndpointSnapshot | undefined;
  settings: EndpointSettings;
  sender: EndpointSender;
  parking: Parking;
}

/** Runs the turns of one endpoint. */
export class TurnRunner {
  private readonly deps: TurnDeps;
  private readonly snapshot: TurnParts['snapshot'];
  private readonly settings: EndpointSettings;
  private readonly sender: EndpointSender;
  private readonly parking: Parking;

  constructor(deps: TurnDeps, parts: TurnParts) {
    this.deps = deps;
    this.snapshot = parts.snapshot;
    this.settings = parts.settings;
    this.sender = parts.sender;
    this.parking = parts.parking;
  }

  /** One turn, to its end; what fails in it that is ours is logged, and does not reject. */
  async run(owed: OwedDelivery): Promise<void> {
    try {
      await this.process(owed);
    } catch (error) {
      // A fault of ours, not of the receiver: the message stays unacked and is given again after a while.
      this.deps.log.error({ err: error, ...factsOf(owed) }, 'delivery.turn_failed');
      this.deps.settler.unclaim(owed.head);
      owed.message.nak(FAULT_RETRY_MS);
    }
  }

  private async process(owed: OwedDelivery): Promise<void> {
    const { settler, events } = this.deps;
    const snapshot = this.snapshot() ?? (await this.lookAnew(owed));
    // Its lease ran out while it was paused: another worker has the message by now.
    if (!this.deps.mayWork(owed.tenant)) return this.letGo(owed);
    this.settings.apply(snapshot);
    if (snapshot === undefined) return this.withoutEndpoint(owed);
    if (snapshot.state === 'paused') return settler.hold(owed, 'endpoint_paused');
    if (snapshot.state === 'disabled' || this.deps.gone.has(snapshot)) {
      return settler.hold(owed, 'endpoint_disabled');
    }
    if (performance.now() - owed.receivedMs > EXTEND_AFTER_MS) owed.message.working();
    owed.event ??= await events.fetch(owed.tenant, owed.head.eventSeq, eventFacts(owed).id);
    if (owed.event === undefined) return settler.bury(owed, 'event_expired', undefined);
    const target = this.sender.prepare(snapshot);
    const { payload } = owed.event.head;
    if (payload === undefined) return this.attempt(owed, owed.event, target);
    return this.attemptLarge(owed, owed.event, payload, target);
  }

  /**
   * The router may know of an endpoint before this process does, and what is not configured is cancelled: so first the
   * configuration is asked for as it is since the delivery came.
   */
  private async lookAnew(owed: OwedDelivery): Promise<EndpointSnapshot | undefined> {
    await this.deps.refreshTenant(owed.tenant, owed.receivedMs);
    return this.snapshot();
  }

  /** Its endpoint or its tenant was deleted, or is still unknown to this process. */
  private withoutEndpoint(owed: OwedDelivery): void {
    const { lives, settler } = this.deps;
    if (lives.drops(owed.tenant, 'delivery')) return settler.drop(owed);
    if (lives.standing(owed.tenant) !== 'unborn') return settler.cancel(owed, 'endpoint_deleted');
    settler.unclaim(owed.head);
    owed.message.nak(FAULT_RETRY_MS);
  }

  /** Without a word to the stream, where it is somebody else's by now. */
  private letGo(owed: OwedDelivery): void {
    owed.place?.again();
    this.deps.settler.unclaim(owed.head);
  }

  private async attemptLarge(
    owed: OwedDelivery,
    event: EventFrame,
    payload: PayloadRef,
    target: EndpointTarget,
  ): Promise<void> {
    const { payloads, settler } = this.deps;
    const attached = await payloads.attach(owed.tenant, event, payload, target.snapshot);
    if (attached.kind === 'lost') return settler.bury(owed, attached.reason, undefined);
    if (attached.kind === 'no_room') {
      return this.parking.park(owed, MEMORY_PARK_MS, 'memory');
    }
    // Reading it may have taken a part of the time in which the consumer wants an ack.
    owed.message.working();
    await this.attempt(owed, attached.event, target).finally(attached.release);
  }

  /** Nothing was sent, by a fault of this machine: it is no attempt, and the delivery has its age all the same. */
  private putOff(owed: OwedDelivery, fault: LocalFault, triedMs: number): void {
    const { settler, localFaults, mayWork } = this.deps;
    const delayMs = localFaults.report(fault);
    if (!mayWork(owed.tenant)) return this.letGo(owed);
    const { maxAgeMs = Number.POSITIVE_INFINITY } = this.settings.retryPolicy;
    const ageMs = triedMs - (owed.head.firstAttemptMs ?? triedMs);
    if (ageMs + delayMs > maxAgeMs) return settler.end(owed, 'too_old', undefined);
    this.parking.putOff(owed, delayMs, triedMs);
  }

  private async attempt(
    owed: OwedDelivery,
    event: OutboundEvent,
    target: EndpointTarget,
  ): Promise<void> {
    const { metrics, settler, now, random, worker, tracing } = this.deps;
    const { policies, retryPolicy } = this.settings;
    const keeper = keepInHand(owed, this.settings.timeoutMs - this.deps.timeoutMs);
    const circuitBefore = this.settings.openCircuit;
    let startedMs = 0;
    let started = 0;
    let result: SendResult;
    try {
      result = await policies.execute<SendResult>(async ({ signal }) => {
        startedMs = now();
        started = performance.now();
        const sent = await tracedAttempt(tracing, owed, event.head, target, (traceparent) =>
          this.sender.send(target, event, startedMs, signal, traceparent),
        );
        if (sent.localFault !== undefined) throw new LocalFaultError(sent.localFault);
        return sent;
      });
    } catch (error) {
      if (error instanceof LocalFaultError) {
        this.settings.forgetProbe(circuitBefore, now());
        return this.putOff(owed, error.fault, startedMs);
      }
      if (!isBrokenCircuitError(error)) throw error;
      this.settings.mendCircuit(now());
      return this.parking.untilMended(owed);
    } finally {
      clearInterval(keeper);
    }
    const durationMs = performance.now() - started;
    const { attemptNo, firstAttemptMs = startedMs } = owed.head;
    const { repeatedAtMs } = result;
    const repeatedMs =
      repeatedAtMs === undefined ? undefined : Math.round(startedMs + repeatedAtMs - started);
    const record = attemptRecord(attemptNo, worker, startedMs, durationMs, result, repeatedMs);
    const ageMs = startedMs - firstAttemptMs;
    const verdict = judge(retryPolicy, attemptNo, result.outcome, random(), ageMs);
    if (verdict.kind === 'gone') this.deps.gone.add(target.snapshot);
    // The shard was lost, or given up for lack of time: its new owner has the delivery in hand, and decides what
    // follows. What a stop cut off is no attempt that failed: it is neither counted nor told.
    if (verdict.kind !== 'delivered' && !this.deps.mayWork(owed.tenant)) return this.letGo(owed);
    metrics.attempted(result.outcome, durationMs, startedMs - event.head.acceptedMs, attemptNo);
    if (!result.outcome.ok && result.outcome.kind === 'unexpected') {
      this.deps.log.error(
        { ...factsOf(owed), attempt_no: attemptNo, err: result.error },
        'delivery.attempt_unexpected',
      );
    }
    settler.attempted(owed, verdict, record, target.snapshot.url);
  }
}

/** Whose delivery it is, for the log. */
function factsOf(owed: OwedDelivery): Record<string, string | undefined> {
  return {
    tenant_id: tenantIdOf(owed.tenant),
    endpoint_id: owed.endpoint,
    delivery_id: owed.head.id,
    request_id: owed.event?.head.correlationId,
    traceparent: owed.head.trace ?? owed.event?.head.trace,
  };
}
