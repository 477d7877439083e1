/**
 * Processes one delivery in a turn of its endpoint (DL-2), by the endpoint's state at that moment:
 * no longer configured -> cancelled; paused or disabled -> held; circuit open -> parked; otherwise
 * attempted and judged. Every delivery either leaves through the settler, or stays unacked and is
 * redelivered. `endpoint-actor.ts` decides when a turn starts and how many run concurrently.
 */
import { isBrokenCircuitError } from 'cockatiel';
import type { Clock } from '#domain/clock.ts';
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
import {
  type InFlightDelivery,
  eventFacts,
  extendAckDeadline,
} from '../intake/in-flight-delivery.ts';
import type { Parking } from '../settlement/parking.ts';
import type { Payloads } from './payloads.ts';
import type { HoldReason, Settler } from '../settlement/settle.ts';
import { tracedAttempt } from './traced-attempt.ts';

/** Delay while other attempts use all the memory for large payloads. */
const MEMORY_PARK_MS = 1000;
/**
 * A delivery that waited longer than this in the mailbox extends its ack deadline before the
 * attempt.
 */
const EXTEND_AFTER_MS = 10_000;
/** Delay before redelivery after an internal error. */
const FAULT_RETRY_MS = 5000;

/** Dependencies shared by all endpoints of a worker. */
export interface DeliveryProcessorDeps {
  settler: Settler;
  events: EventFetcher;
  payloads: Payloads;
  metrics: DeliveryMetrics;
  localFaults: LocalFaults;
  /** Undefined: no spans. */
  tracing?: Tracing | undefined;
  lives: TenantLives;
  log: Log;
  worker: string;
  /** Configurations to which the receiver answered 410: nothing is sent until they change. */
  gone: WeakSet<EndpointSnapshot>;
  /** Fetches a tenant's configuration unless it was fetched after `sinceMs` (monotonic). */
  refreshTenant: (tenant: string, sinceMs: number) => Promise<void>;
  /**
   * Whether this worker still owns the tenant's shard, by the lease's expiry. Checked before each
   * attempt.
   */
  isOwner: (tenant: string) => boolean;
  /** The platform's time limit for an attempt. */
  timeoutMs: number;
  clock: Clock;
  random: () => number;
}

/** The parts that belong to one endpoint. */
export interface EndpointParts {
  /** The endpoint's current configuration. */
  snapshot: () => EndpointSnapshot | undefined;
  settings: EndpointSettings;
  sender: EndpointSender;
  parking: Parking;
}

/** Processes the deliveries of one endpoint. */
export class DeliveryProcessor {
  private readonly deps: DeliveryProcessorDeps;
  private readonly snapshot: EndpointParts['snapshot'];
  private readonly settings: EndpointSettings;
  private readonly sender: EndpointSender;
  private readonly parking: Parking;

  constructor(deps: DeliveryProcessorDeps, parts: EndpointParts) {
    this.deps = deps;
    this.snapshot = parts.snapshot;
    this.settings = parts.settings;
    this.sender = parts.sender;
    this.parking = parts.parking;
  }

  /** Runs one turn to its end. Logs internal errors and does not reject. */
  async run(delivery: InFlightDelivery): Promise<void> {
    try {
      await this.process(delivery);
    } catch (error) {
      // An internal error, not the receiver's: redeliver the message after a delay.
      this.deps.log.error({ err: error, ...factsOf(delivery) }, 'delivery.turn_failed');
      this.deps.settler.unclaim(delivery.head);
      delivery.message.nak(FAULT_RETRY_MS);
    }
  }

  private async process(delivery: InFlightDelivery): Promise<void> {
    const { settler, events } = this.deps;
    const snapshot = this.snapshot() ?? (await this.refetchSnapshot(delivery));
    // The lease expired while this worker was paused: the message belongs to another worker by now.
    if (!this.deps.isOwner(delivery.tenant)) return this.abandon(delivery);
    this.settings.apply(snapshot);
    if (snapshot === undefined) return this.settleWithoutEndpoint(delivery);
    // A router that did not know yet that the endpoint is polled.
    if (snapshot.poll !== undefined) return settler.toPollQueue(delivery);
    const holdReason = this.holdReason(snapshot, delivery);
    if (holdReason !== undefined) return settler.hold(delivery, holdReason);
    if (this.deps.clock.monotonicMs() - delivery.receivedMs > EXTEND_AFTER_MS)
      delivery.message.working();
    delivery.event ??= await events.fetch(
      delivery.tenant,
      delivery.head.eventSeq,
      eventFacts(delivery).id,
    );
    if (delivery.event === undefined)
      return settler.deadLetter(delivery, 'event_expired', undefined);
    const target = this.sender.prepare(snapshot);
    const { payload } = delivery.event.head;
    if (payload === undefined) return this.attempt(delivery, delivery.event, target);
    return this.attemptLarge(delivery, delivery.event, payload, target);
  }

  private holdReason(
    snapshot: EndpointSnapshot,
    { head }: InFlightDelivery,
  ): HoldReason | undefined {
    if (this.deps.gone.has(snapshot)) return 'endpoint_disabled';
    if (snapshot.state === 'active' || head.released === true) return undefined;
    return snapshot.state === 'paused' ? 'endpoint_paused' : 'endpoint_disabled';
  }

  /**
   * Fetches the configuration again, as of the delivery's arrival or later. The router may learn of
   * an endpoint before this process, and a delivery to an unknown endpoint is cancelled.
   */
  private async refetchSnapshot(delivery: InFlightDelivery): Promise<EndpointSnapshot | undefined> {
    await this.deps.refreshTenant(delivery.tenant, delivery.receivedMs);
    return this.snapshot();
  }

  /**
   * Settles a delivery whose endpoint or tenant was deleted; naks it if the tenant is still unknown
   * here, for a bounded time.
   */
  private settleWithoutEndpoint(delivery: InFlightDelivery): void {
    const { lives, settler } = this.deps;
    if (lives.drops(delivery.tenant, 'delivery')) return settler.drop(delivery);
    if (lives.gaveUpOn(delivery.tenant, 'delivery')) return settler.drop(delivery);
    if (lives.status(delivery.tenant) !== 'unborn')
      return settler.cancel(delivery, 'endpoint_deleted');
    settler.unclaim(delivery.head);
    delivery.message.nak(FAULT_RETRY_MS);
  }

  /** Abandons a delivery that another worker may own by now: without an ack or nak. */
  private abandon(delivery: InFlightDelivery): void {
    delivery.queueHandle?.retryLater();
    this.deps.settler.unclaim(delivery.head);
  }

  private async attemptLarge(
    delivery: InFlightDelivery,
    event: EventFrame,
    payload: PayloadRef,
    target: EndpointTarget,
  ): Promise<void> {
    const { payloads, settler } = this.deps;
    const attached = await payloads.attach(delivery.tenant, event, payload, target.snapshot);
    if (attached.kind === 'lost') return settler.deadLetter(delivery, attached.reason, undefined);
    if (attached.kind === 'no_room') {
      return this.parking.park(delivery, MEMORY_PARK_MS, 'memory');
    }
    // Reading the payload may have used up part of the ack deadline.
    delivery.message.working();
    await this.attempt(delivery, attached.event, target).finally(attached.release);
  }

  /**
   * Delays a delivery that was not sent because of a fault of this machine. It does not count as an
   * attempt, but its age still counts.
   */
  private parkUnsent(delivery: InFlightDelivery, fault: LocalFault, triedMs: number): void {
    const { settler, localFaults, isOwner } = this.deps;
    const delayMs = localFaults.report(fault);
    if (!isOwner(delivery.tenant)) return this.abandon(delivery);
    const { maxAgeMs = Number.POSITIVE_INFINITY } = this.settings.retryPolicy;
    const ageMs = triedMs - (delivery.head.firstAttemptMs ?? triedMs);
    if (ageMs + delayMs > maxAgeMs) return settler.end(delivery, 'too_old', undefined);
    this.parking.parkUnsent(delivery, delayMs, triedMs);
  }

  private async attempt(
    delivery: InFlightDelivery,
    event: OutboundEvent,
    target: EndpointTarget,
  ): Promise<void> {
    const { metrics, settler, clock, random, worker, tracing } = this.deps;
    const { attemptPolicy, retryPolicy } = this.settings;
    const ackTimer = extendAckDeadline(delivery, this.settings.timeoutMs - this.deps.timeoutMs);
    let startedMs = 0;
    let started = 0;
    let result: SendResult;
    try {
      result = await attemptPolicy.execute<SendResult>(async ({ signal }) => {
        startedMs = clock.wallMs();
        started = clock.monotonicMs();
        const sent = await tracedAttempt(tracing, delivery, event.head, target, (traceparent) =>
          this.sender.send(target, event, startedMs, signal, traceparent, delivery.head.sequence),
        );
        if (sent.localFault !== undefined) throw new LocalFaultError(sent.localFault);
        return sent;
      });
    } catch (error) {
      if (error instanceof LocalFaultError) {
        return this.parkUnsent(delivery, error.fault, startedMs);
      }
      if (!isBrokenCircuitError(error)) throw error;
      return this.parking.parkUntilCircuitCloses(delivery);
    } finally {
      clearInterval(ackTimer);
    }
    const durationMs = clock.monotonicMs() - started;
    const { attemptNo, firstAttemptMs = startedMs } = delivery.head;
    const { repeatedAtMs } = result;
    const repeatedMs =
      repeatedAtMs === undefined ? undefined : Math.round(startedMs + repeatedAtMs - started);
    const record = attemptRecord(attemptNo, worker, startedMs, durationMs, result, repeatedMs);
    const ageMs = startedMs - firstAttemptMs;
    const verdict = judge(retryPolicy, attemptNo, result.outcome, random(), ageMs);
    if (verdict.kind === 'gone') this.deps.gone.add(target.snapshot);
    // The shard was lost, or released at the drain deadline: its new owner has the delivery and
    // decides its next state. An attempt that a shutdown aborted is not a failure: it is neither
    // counted nor recorded.
    if (verdict.kind !== 'delivered' && !this.deps.isOwner(delivery.tenant))
      return this.abandon(delivery);
    metrics.attempted(result.outcome, durationMs, startedMs - event.head.acceptedMs, attemptNo);
    if (verdict.kind === 'retry') metrics.retryScheduled(verdict.delayMs);
    if (!result.outcome.ok && result.outcome.kind === 'unexpected') {
      this.deps.log.error(
        { ...factsOf(delivery), attempt_no: attemptNo, err: result.error },
        'delivery.attempt_unexpected',
      );
    }
    settler.attempted(delivery, verdict, record, target.snapshot.url);
  }
}

/** Identifies the delivery in the log. */
function factsOf(delivery: InFlightDelivery): Record<string, string | undefined> {
  return {
    tenant_id: tenantIdOf(delivery.tenant),
    endpoint_id: delivery.endpoint,
    delivery_id: delivery.head.id,
    request_id: delivery.event?.head.correlationId,
    traceparent: delivery.head.trace ?? delivery.event?.head.trace,
  };
}
