/**
 * Turns an event into deliveries (design: docs/architecture.md, "The path of one event").
 *
 * An event is: queued -> fanning out (its deliveries are published as the publisher has room) -> waiting for
 * the last PubAck -> recorded -> acked. Deliveries have ids computed from event and endpoint, so an event
 * that comes again after a crash gives the same ones and the server drops them (RT-4). The event's ack is
 * the last step: a crash before it brings the event again, a crash after it finds all deliveries stored.
 *
 * Limits: what is queued is bounded by the consumers' `max_ack_pending`, what is under way by the
 * publisher's window. No database is touched.
 */
import type { JsMsg } from '@nats-io/jetstream';
import { Counter, type Registry } from 'prom-client';
import { deliveryId } from '#domain/ids.ts';
import type { Publisher } from '#infra/nats/publisher.ts';
import type { RecordGatherer } from '#infra/nats/record-gatherer.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { ConfigView, EndpointSnapshot, TenantSnapshot } from '#wire/config-snapshot.ts';
import { type DeliveryHead, deliveryMessageId, encodeDeliveryFrame } from '#wire/delivery-frame.ts';
import { type EventFrame, asBuffer, decodeEventFrame } from '#wire/event-frame.ts';
import { type LaneView, laneFor } from '#wire/lane-view.ts';
import type { RoutedRecord } from '#wire/record.ts';
import { parseEventSubject, subjects } from '#wire/subjects.ts';
import { eventForFilter } from './event-for-filter.ts';
import { SubscriptionIndex } from './subscription-index.ts';

/** Larger events travel by reference: their bytes are stored once, not once for each endpoint. */
const INLINE_BYTES_MAX = 16 * 1024;
/** An event with many endpoints travels by reference too, above this many bytes in all. */
const INLINE_FANOUT_BYTES_MAX = 1024 * 1024;
const STORE_TIMEOUT_MS = 25_000;
const NAK_DELAY_MS = 1000;
const DRAIN_POLL_MS = 10;

/** An event whose deliveries are being published. */
interface FanOut {
  message: JsMsg;
  tenant: string;
  event: EventFrame;
  seq: number;
  endpoints: EndpointSnapshot[];
  /** The next endpoint to publish for. */
  next: number;
  /** PubAcks still to come. */
  open: number;
  failed: boolean;
  deliveries: RoutedRecord['deliveries'];
}

export interface RouterState {
  config: ConfigView;
  lanes: LaneView;
  /** Brings what the process knows of a tenant up to date. */
  refreshTenant: (tenant: string) => Promise<void>;
  publisher: Publisher;
  records: RecordGatherer;
  registry: Registry;
  log: Log;
}

export class Router {
  private readonly deps: RouterState;
  private readonly indexes = new WeakMap<TenantSnapshot, SubscriptionIndex>();
  private readonly queue: FanOut[] = [];
  private readonly events: Counter<'result'>;
  private readonly deliveries: Counter;
  private underWay = 0;
  private waiting = false;

  constructor(deps: RouterState) {
    this.deps = deps;
    const registers = [deps.registry];
    this.events = new Counter({
      name: 'posthorn_router_events_total',
      help: 'Events routed, by whether they matched a subscription.',
      labelNames: ['result'],
      registers,
    });
    this.deliveries = new Counter({
      name: 'posthorn_router_deliveries_total',
      help: 'Deliveries made of events.',
      registers,
    });
  }

  /** Takes an event. Never throws. */
  take(message: JsMsg): void {
    try {
      const fanOut = this.prepare(message);
      this.underWay++;
      if (fanOut.endpoints.length > 0) this.enqueue(fanOut);
      else void this.lookAgain(fanOut);
    } catch (error) {
      // Ingress wrote it, so it can only be damaged: it would fail for ever.
      this.deps.log.error({ err: error, subject: message.subject }, 'router.undecodable');
      message.term('undecodable');
    }
  }

  private enqueue(fanOut: FanOut): void {
    this.queue.push(fanOut);
    this.pump();
  }

  /**
   * An event that matches nothing may be ahead of the configuration: who makes an endpoint and publishes at
   * once is served. The bucket is asked at most once a second for a tenant, so unmatched events stay cheap.
   */
  private async lookAgain(fanOut: FanOut): Promise<void> {
    try {
      await this.deps.refreshTenant(fanOut.tenant);
      fanOut.endpoints = this.match(fanOut.tenant, fanOut.event);
      fanOut.open = fanOut.endpoints.length;
    } catch (error) {
      this.onNotStored(fanOut, error as Error);
    }
    this.enqueue(fanOut);
  }

  /** Waits until what was taken is routed. */
  async drain(deadlineMs: number): Promise<void> {
    const deadline = performance.now() + deadlineMs;
    while (this.underWay > 0 && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
    }
    await this.deps.records.drain();
  }

  private prepare(message: JsMsg): FanOut {
    const { tenant } = parseEventSubject(message.subject);
    const event = decodeEventFrame(asBuffer(message.data));
    const endpoints = this.match(tenant, event);
    return {
      message,
      tenant,
      event,
      seq: message.seq,
      endpoints,
      next: 0,
      open: endpoints.length,
      failed: false,
      deliveries: [],
    };
  }

  private match(tenant: string, event: EventFrame): EndpointSnapshot[] {
    const snapshot = this.deps.config.tenant(tenant);
    // Deleted since the event was accepted: nobody is left to receive it.
    if (snapshot === undefined) return [];
    let index = this.indexes.get(snapshot);
    if (index === undefined) {
      index = new SubscriptionIndex(snapshot);
      this.indexes.set(snapshot, index);
    }
    return index.match(event.head.type, () => eventForFilter(event));
  }

  private pump(): void {
    while (this.queue.length > 0) {
      const fanOut = this.queue[0] as FanOut;
      if (!this.publishSome(fanOut)) return;
      this.queue.shift();
      if (fanOut.endpoints.length === 0) this.finish(fanOut);
    }
  }

  /** Publishes as many deliveries as there is room for; true when the last is on its way. */
  private publishSome(fanOut: FanOut): boolean {
    while (fanOut.next < fanOut.endpoints.length) {
      if (this.deps.publisher.room <= 0) {
        this.resumeWhenRoom();
        return false;
      }
      this.publishOne(fanOut, fanOut.endpoints[fanOut.next++] as EndpointSnapshot);
    }
    return true;
  }

  private resumeWhenRoom(): void {
    if (this.waiting) return;
    this.waiting = true;
    this.deps.publisher.whenRoom(() => {
      this.waiting = false;
      this.pump();
    });
  }

  private publishOne(fanOut: FanOut, endpoint: EndpointSnapshot): void {
    const { tenant, event } = fanOut;
    const id = deliveryId(tenant, event.head.id, endpoint.id);
    const head: DeliveryHead = {
      id,
      endpoint: endpoint.id,
      attemptNo: 1,
      hop: 0,
      eventSeq: fanOut.seq,
    };
    const inline = isInline(event.bytes.length, fanOut.endpoints.length);
    if (!inline) {
      const { type, acceptedMs, priority } = event.head;
      head.byReference = { id: event.head.id, type, acceptedMs };
      if (priority !== undefined) head.byReference.priority = priority;
    }
    const held = endpoint.state !== 'active';
    fanOut.deliveries.push({ id, endpoint: endpoint.id, status: held ? 'held' : 'pending' });
    this.deps.publisher.publish(
      {
        subject: held
          ? subjects.held(tenant, endpoint.id)
          : subjects.delivery(tenant, endpoint.id, laneFor(this.deps.lanes, tenant, event.head)),
        payload: encodeDeliveryFrame(head, inline ? event.bytes : NOTHING),
        messageId: deliveryMessageId(id, 0),
        timeoutMs: STORE_TIMEOUT_MS,
      },
      (error) => {
        if (error !== undefined) this.onNotStored(fanOut, error);
        if (--fanOut.open === 0) this.finish(fanOut);
      },
    );
  }

  private onNotStored(fanOut: FanOut, error: Error): void {
    if (!fanOut.failed) this.deps.log.warn({ error: error.message }, 'router.delivery_not_stored');
    fanOut.failed = true;
  }

  private finish(fanOut: FanOut): void {
    this.underWay--;
    if (fanOut.failed) {
      // The event comes again, and those of its deliveries that are stored are dropped by their ids.
      fanOut.message.nak(NAK_DELAY_MS);
      return;
    }
    const { tenant, event, deliveries } = fanOut;
    this.events.inc({ result: deliveries.length === 0 ? 'unmatched' : 'matched' });
    this.deliveries.inc(deliveries.length);
    const record: RoutedRecord = {
      k: 'routed',
      tenant,
      event: event.head.id,
      type: event.head.type,
      acceptedMs: event.head.acceptedMs,
      deliveries,
    };
    this.deps.records.add(record, () => fanOut.message.ack());
  }
}

function isInline(bytes: number, endpoints: number): boolean {
  return bytes <= INLINE_BYTES_MAX && bytes * endpoints <= INLINE_FANOUT_BYTES_MAX;
}

const NOTHING = Buffer.alloc(0);
