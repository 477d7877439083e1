import type { Span } from '@opentelemetry/api';
import { FairQueue } from '#domain/contention/fair-queue.ts';
import { deliveryId } from '#domain/ids.ts';
import type { Publication, Publisher } from '#infra/nats/publish/publisher.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { traceparentOf } from '#infra/telemetry/tracing.ts';
import type { EndpointSnapshot } from '#wire/config-snapshot.ts';
import {
  type DeliveryHead,
  deliveryMessageId,
  encodeDeliveryFrame,
} from '#wire/frames/delivery-frame.ts';
import type { EventFrame } from '#wire/frames/event-frame.ts';
import { type LaneView, classFor } from '#wire/lane-view.ts';
import type { RoutedDelivery, RoutedRecord } from '#wire/frames/record.ts';
import { subjects } from '#wire/subjects.ts';
import type { InFlightEvent } from './in-flight-event.ts';
import { OrderedPublisher } from './scheduling/ordered-publisher.ts';
import type { SequenceRequest, Sequencer } from './sequences/sequencer.ts';

/** Deliveries that a tenant may publish before the next tenant's turn. */
const TURN = 32;
/** Larger events travel by reference: their bytes are stored once, not once for each endpoint. */
const INLINE_BYTES_MAX = 16 * 1024;
/** Events with many endpoints also travel by reference if their bytes in all exceed this. */
const INLINE_FANOUT_BYTES_MAX = 1024 * 1024;
const STORE_TIMEOUT_MS = 25_000;
/** For one event: deliveries already published delay every later one, of any tenant. */
const IN_FLIGHT_MAX = 256;

/** An event whose deliveries are being published. */
export interface FanOut {
  message: InFlightEvent;
  tenant: string;
  /** Key of its turn: its tenant, or one key for all copies of broadcasts. */
  flow: string;
  event: EventFrame;
  seq: number;
  endpoints: EndpointSnapshot[];
  /** Index of the next endpoint to publish for. */
  next: number;
  /** Outstanding PubAcks, including those of deliveries not yet published. */
  open: number;
  /** Its flow waits for PubAcks. */
  aside: boolean;
  failed: boolean;
  deliveries: RoutedRecord['deliveries'];
  /** The span of the fan-out; absent: the event is not traced. */
  span?: Span | undefined;
}

/** A fan-out in the tenant's own flow, with nothing published yet. */
export function fanOutOf(
  message: InFlightEvent,
  tenant: string,
  event: EventFrame,
  endpoints: EndpointSnapshot[],
): FanOut {
  return {
    message,
    tenant,
    flow: tenant,
    event,
    seq: message.seq,
    endpoints,
    next: 0,
    open: endpoints.length,
    aside: false,
    failed: false,
    deliveries: [],
  };
}

export interface FanOutsDeps {
  log: Log;
  publisher: Publisher;
  lanes: LaneView;
  /** Numbers the deliveries to sequenced endpoints. */
  sequencer: Pick<Sequencer, 'add'>;
  /** Called for each delivery that could not be stored, before `onEnd`. */
  onNotStored: (fanOut: FanOut, error: Error) => void;
  /** Called after the last PubAck or failure. */
  onEnd: (fanOut: FanOut) => void;
}

/**
 * Publishes the deliveries of events, as the publisher has room. Tenants take turns, so an event
 * with thousands of endpoints delays only its own tenant; events of one tenant are published in
 * order.
 */
export class FanOuts {
  private readonly deps: FanOutsDeps;
  private readonly queue = new FairQueue<FanOut>(TURN);
  private readonly ordered: OrderedPublisher;
  private readonly inFlightMax: number;
  private waiting = false;

  constructor(deps: FanOutsDeps) {
    this.deps = deps;
    this.ordered = new OrderedPublisher(deps);
    const { room, inFlight } = deps.publisher;
    this.inFlightMax = Math.max(1, Math.min(IN_FLIGHT_MAX, Math.floor((room + inFlight) / 4)));
  }

  add(fanOut: FanOut): void {
    const { length } = fanOut.endpoints;
    // The usual case: the queue is empty, and the publisher has room for all deliveries.
    if (this.queue.isEmpty && length <= TURN && length <= this.deps.publisher.room) {
      this.publishAll(fanOut);
      return;
    }
    this.queue.push(fanOut.flow, fanOut);
    this.pump();
  }

  /** Events with deliveries that are not published yet. */
  queued(): Iterable<FanOut> {
    return this.queue.items();
  }

  private publishAll(fanOut: FanOut): void {
    const { length } = fanOut.endpoints;
    if (length === 0) this.deps.onEnd(fanOut);
    while (fanOut.next < length) this.publishNext(fanOut);
  }

  private pump(): void {
    for (let fanOut = this.queue.head(); fanOut !== undefined; fanOut = this.queue.head()) {
      const left = fanOut.endpoints.length - fanOut.next;
      if (left === 0) {
        this.queue.shift();
        if (fanOut.endpoints.length === 0) this.deps.onEnd(fanOut);
      } else if (this.deps.publisher.room <= 0) {
        this.resumeWhenRoom();
        return;
      } else if (fanOut.open - left >= this.inFlightMax) {
        fanOut.aside = true;
        this.queue.setAside();
      } else {
        this.queue.spend();
        this.publishNext(fanOut);
      }
    }
  }

  private resumeWhenRoom(): void {
    if (this.waiting) return;
    this.waiting = true;
    this.deps.publisher.whenRoom(() => {
      this.waiting = false;
      this.pump();
    });
  }

  private publishNext(fanOut: FanOut): void {
    const endpoint = fanOut.endpoints[fanOut.next++] as EndpointSnapshot;
    // Another router owns the shard by now, and publishes the rest.
    if (!fanOut.message.isOwner()) return this.onOne(fanOut, undefined);
    if (endpoint.ordered !== undefined) return this.publishInOrder(fanOut, endpoint);
    if (endpoint.sequenced === true) return this.publishNumbered(fanOut, endpoint);
    this.deps.publisher.publish(publicationFor(fanOut, endpoint, this.deps.lanes), (error) =>
      this.onOne(fanOut, error),
    );
  }

  private publishInOrder(fanOut: FanOut, endpoint: EndpointSnapshot): void {
    let number: number | undefined;
    const prepare = (done: (error: Error | undefined) => void): void =>
      this.number(fanOut, endpoint, (error, sequence) => {
        number = sequence;
        done(
          error ?? (sequence === undefined ? new Error('the shard has another owner') : undefined),
        );
      });
    this.ordered.add(subjects.ordered(fanOut.tenant, endpoint.id), {
      ...(endpoint.sequenced === true ? { prepare } : {}),
      make: () => publicationFor(fanOut, endpoint, this.deps.lanes, number),
      isOwner: () => fanOut.message.isOwner(),
      done: () => this.onOne(fanOut, undefined),
    });
  }

  /** First the number, then the delivery: a crash in between leaves the event unacked. */
  private publishNumbered(fanOut: FanOut, endpoint: EndpointSnapshot): void {
    this.number(fanOut, endpoint, (error, sequence) => {
      const isOwner = sequence !== undefined && fanOut.message.isOwner();
      if (!isOwner) return this.onOne(fanOut, error);
      const publication = publicationFor(fanOut, endpoint, this.deps.lanes, sequence);
      this.deps.publisher.publishWhenRoom(publication, (notStored) =>
        this.onOne(fanOut, notStored),
      );
    });
  }

  private number(fanOut: FanOut, endpoint: EndpointSnapshot, done: SequenceRequest['done']): void {
    const { tenant, message, event, seq } = fanOut;
    this.deps.sequencer.add({
      tenant,
      endpoint: endpoint.id,
      delivery: deliveryId(tenant, event.head.id, endpoint.id),
      event: event.head.id,
      place: { storedMs: message.storedMs, seq },
      isOwner: () => message.isOwner(),
      done,
    });
  }

  private onOne(fanOut: FanOut, error: Error | undefined): void {
    if (error !== undefined) this.deps.onNotStored(fanOut, error);
    fanOut.open--;
    if (fanOut.open === 0) this.deps.onEnd(fanOut);
    else if (fanOut.aside) this.resumeHalfEmpty(fanOut);
  }

  /** Wait until half of the window is free, so that the next half leaves in one write. */
  private resumeHalfEmpty(fanOut: FanOut): void {
    const inFlight = fanOut.open - (fanOut.endpoints.length - fanOut.next);
    if (inFlight * 2 > this.inFlightMax) return;
    fanOut.aside = false;
    this.queue.resume(fanOut.flow);
    this.pump();
  }
}

function publicationFor(
  fanOut: FanOut,
  endpoint: EndpointSnapshot,
  lanes: LaneView,
  sequence?: number,
): Publication {
  const { tenant, event } = fanOut;
  const id = deliveryId(tenant, event.head.id, endpoint.id);
  const head: DeliveryHead = {
    id,
    endpoint: endpoint.id,
    attemptNo: 1,
    hop: 0,
    eventSeq: fanOut.seq,
  };
  if (fanOut.span !== undefined) head.trace = traceparentOf(fanOut.span);
  const inline = isInline(event.bytes.length, fanOut.endpoints.length);
  if (!inline) {
    const { type, acceptedMs, priority } = event.head;
    head.byReference = { id: event.head.id, type, acceptedMs };
    if (priority !== undefined) head.byReference.priority = priority;
  }
  const held = endpoint.state !== 'active' && endpoint.poll === undefined;
  const routed: RoutedDelivery = { id, endpoint: endpoint.id, status: held ? 'held' : 'pending' };
  if (sequence !== undefined) {
    head.sequence = sequence;
    routed.sequence = sequence;
  }
  fanOut.deliveries.push(routed);
  return {
    subject: subjectFor(fanOut, endpoint, lanes),
    payload: encodeDeliveryFrame(head, inline ? event.bytes : NOTHING),
    messageId: deliveryMessageId(id, 0),
    timeoutMs: STORE_TIMEOUT_MS,
  };
}

function subjectFor(
  { tenant, event }: FanOut,
  endpoint: EndpointSnapshot,
  lanes: LaneView,
): string {
  if (endpoint.poll !== undefined) return subjects.delivery(tenant, endpoint.id, 'p');
  // Held deliveries of an ordered endpoint keep their place in its queue.
  if (endpoint.ordered !== undefined) return subjects.ordered(tenant, endpoint.id);
  if (endpoint.state !== 'active') return subjects.held(tenant, endpoint.id);
  return subjects.delivery(tenant, endpoint.id, classFor(lanes, tenant, event.head));
}

function isInline(bytes: number, endpoints: number): boolean {
  return bytes <= INLINE_BYTES_MAX && bytes * endpoints <= INLINE_FANOUT_BYTES_MAX;
}

const NOTHING = Buffer.alloc(0);
