import type { Span } from '@opentelemetry/api';
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
import { type LaneView, laneFor } from '#wire/lane-view.ts';
import type { RoutedRecord } from '#wire/frames/record.ts';
import { subjects } from '#wire/subjects.ts';
import type { EventInHand } from './in-flight-event.ts';
import { FairQueue } from './scheduling/fair-queue.ts';
import { OrderedLines } from './scheduling/ordered-lines.ts';

/** Deliveries that a tenant may publish before the next has its turn. */
const TURN = 32;
/** Larger events travel by reference: their bytes are stored once, not once for each endpoint. */
const INLINE_BYTES_MAX = 16 * 1024;
/** An event with many endpoints travels by reference too, above this many bytes in all. */
const INLINE_FANOUT_BYTES_MAX = 1024 * 1024;
const STORE_TIMEOUT_MS = 25_000;
/** Of one event: what is published already stands before what comes next, whosever that is. */
const IN_FLIGHT_MAX = 256;

/** An event whose deliveries are being published. */
export interface FanOut {
  message: EventInHand;
  tenant: string;
  /** Who it takes turns with: its tenant's other events, or all copies of broadcasts. */
  lane: string;
  event: EventFrame;
  seq: number;
  endpoints: EndpointSnapshot[];
  /** The next endpoint to publish for. */
  next: number;
  /** PubAcks still to come, of what is published and of what is not yet. */
  open: number;
  /** Its lane waits for PubAcks. */
  aside: boolean;
  failed: boolean;
  deliveries: RoutedRecord['deliveries'];
  /** Where the event is traced. */
  span?: Span | undefined;
}

/** Of an event in its own tenant's lane, with nothing published yet. */
export function fanOutOf(
  message: EventInHand,
  tenant: string,
  event: EventFrame,
  endpoints: EndpointSnapshot[],
): FanOut {
  return {
    message,
    tenant,
    lane: tenant,
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
  /** Some of its deliveries could not be stored; called for each of them, before `onEnd`. */
  onNotStored: (fanOut: FanOut, error: Error) => void;
  /** The last PubAck has come, or the last failure. */
  onEnd: (fanOut: FanOut) => void;
}

/**
 * Publishes the deliveries of events, as the publisher has room. Tenants take turns, so an event with
 * thousands of endpoints holds up nobody else's; one tenant's events go one after the other.
 */
export class FanOuts {
  private readonly deps: FanOutsDeps;
  private readonly queue = new FairQueue<FanOut>(TURN);
  private readonly lines: OrderedLines;
  private readonly inFlightMax: number;
  private waiting = false;

  constructor(deps: FanOutsDeps) {
    this.deps = deps;
    this.lines = new OrderedLines(deps);
    const { room, inFlight } = deps.publisher;
    this.inFlightMax = Math.max(1, Math.min(IN_FLIGHT_MAX, Math.floor((room + inFlight) / 4)));
  }

  add(fanOut: FanOut): void {
    const { length } = fanOut.endpoints;
    // The usual case: nobody waits, and there is room for all.
    if (this.queue.isEmpty && length <= TURN && length <= this.deps.publisher.room) {
      this.publishAll(fanOut);
      return;
    }
    this.queue.push(fanOut.lane, fanOut);
    this.pump();
  }

  /** What is not published to its last delivery yet. */
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
    // The shard is another router's by now: that one publishes what is left.
    if (!fanOut.message.mayWork()) return this.onOne(fanOut, undefined);
    if (endpoint.ordered !== undefined) return this.publishInOrder(fanOut, endpoint);
    this.deps.publisher.publish(publicationFor(fanOut, endpoint, this.deps.lanes), (error) =>
      this.onOne(fanOut, error),
    );
  }

  private publishInOrder(fanOut: FanOut, endpoint: EndpointSnapshot): void {
    this.lines.add(subjects.ordered(fanOut.tenant, endpoint.id), {
      make: () => publicationFor(fanOut, endpoint, this.deps.lanes),
      mayWork: () => fanOut.message.mayWork(),
      done: () => this.onOne(fanOut, undefined),
    });
  }

  private onOne(fanOut: FanOut, error: Error | undefined): void {
    if (error !== undefined) this.deps.onNotStored(fanOut, error);
    fanOut.open--;
    if (fanOut.open === 0) this.deps.onEnd(fanOut);
    else if (fanOut.aside) this.resumeHalfEmpty(fanOut);
  }

  /** Not at each PubAck: half of what it may have in flight then leaves in one write. */
  private resumeHalfEmpty(fanOut: FanOut): void {
    const inFlight = fanOut.open - (fanOut.endpoints.length - fanOut.next);
    if (inFlight * 2 > this.inFlightMax) return;
    fanOut.aside = false;
    this.queue.resume(fanOut.lane);
    this.pump();
  }
}

function publicationFor(fanOut: FanOut, endpoint: EndpointSnapshot, lanes: LaneView): Publication {
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
  const held = endpoint.state !== 'active';
  fanOut.deliveries.push({ id, endpoint: endpoint.id, status: held ? 'held' : 'pending' });
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
  // Its queue keeps what is held too, in its place.
  if (endpoint.ordered !== undefined) return subjects.ordered(tenant, endpoint.id);
  if (endpoint.state !== 'active') return subjects.held(tenant, endpoint.id);
  return subjects.delivery(tenant, endpoint.id, laneFor(lanes, tenant, event.head));
}

function isInline(bytes: number, endpoints: number): boolean {
  return bytes <= INLINE_BYTES_MAX && bytes * endpoints <= INLINE_FANOUT_BYTES_MAX;
}

const NOTHING = Buffer.alloc(0);
