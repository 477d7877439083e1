/**
 * Turns an event into deliveries (design: docs/architecture.md, "The path of one event").
 *
 * An event waits in its tenant's queue if its match or an earlier event's takes time
 * (`serial-queue.ts`), and is delayed if it has very many endpoints. Then it is queued
 * behind its tenant's other events. Its deliveries are published as the publisher has room, tenants
 * in turn (`fan-out.ts`). After the last PubAck the event is recorded, then acked.
 *
 * Delivery ids are computed from event and endpoint, so an event that is redelivered after a crash
 * yields the same ids, and the server drops the duplicates (RT-4). The ack of the event is the last
 * step: a crash before it redelivers the event, a crash after it finds all deliveries stored.
 *
 * Limits: the consumers' `max_ack_pending` bounds the queue, the publisher's window bounds
 * publications in flight. No database is used.
 */
import { Counter, type Registry } from 'prom-client';
import type { Clock } from '#domain/clock.ts';
import { PerKeySerialQueue } from '#domain/contention/serial-queue.ts';
import { type FanOutDelay, fanOutDelayMs } from '#domain/event/fan-out-delay.ts';
import type { Publisher } from '#infra/nats/publish/publisher.ts';
import type { RecordBatcher } from '#infra/nats/publish/record-batcher.ts';
import { parseDataInSlices } from '#infra/parse-data-in-slices.ts';
import { JsonTurns } from '#infra/json-turns.ts';
import { retryWhile } from '#infra/retry.ts';
import type { PayloadStore } from '#infra/payload-store.ts';
import type { TenantLives } from '#infra/tenant-lives.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { Tracing } from '#infra/telemetry/tracing.ts';
import type { ConfigView, EndpointSnapshot, TenantSnapshot } from '#wire/config-snapshot.ts';
import { type EventFrame, asBuffer, decodeEventFrame } from '#wire/frames/event-frame.ts';
import type { LaneView } from '#wire/lane-view.ts';
import { eventForFilter, isBuiltInTurns } from '#wire/published/event-for-filter.ts';
import { type InFlightEvent, WORKING_EVERY_MS } from './in-flight-event.ts';
import { type FanOut, FanOuts, fanOutOf } from './fan-out.ts';
import type { FaultyFilters } from './faulty-filters.ts';
import { FilterScheduler } from './scheduling/filter-scheduler.ts';
import { LargeEvents } from './large-events.ts';
import { LifeGate } from './lives/life-gate.ts';
import { endRouteSpan, startRouteSpan } from './route-span.ts';
import type { Sequencer } from './sequences/sequencer.ts';
import { SubscriptionIndex } from './subscription-index.ts';

const NAK_DELAY_MS = 1000;
const REFRESH_RETRY = { firstMs: 1000, maxMs: 1000 };
/** Not a valid tenant id. */
const BROADCASTS = '*';
/** For one record: that of a large fan-out would exceed the server's maximum payload. */
const RECORD_DELIVERIES_MAX = 1000;

type Matched = EndpointSnapshot[] | Promise<EndpointSnapshot[]>;

export interface RouterState {
  config: ConfigView;
  lives: TenantLives;
  lanes: LaneView;
  /** Refreshes the configuration of a tenant in this process. */
  refreshTenant: (tenant: string) => Promise<void>;
  publisher: Publisher;
  records: RecordBatcher;
  payloads: PayloadStore;
  sequencer: Pick<Sequencer, 'add'>;
  faultyFilters: FaultyFilters;
  /** Largest number of endpoints first. */
  fanOutDelays: readonly FanOutDelay[];
  registry: Registry;
  /** Absent: no spans. */
  tracing?: Tracing | undefined;
  log: Log;
  /** Broker time, milliseconds since 1970. */
  now: () => number;
  clock: Clock;
}

/** An event whose place in its tenant's order is not settled. */
interface ArrivedEvent {
  message: InFlightEvent;
  event: EventFrame;
}

export class Router {
  private readonly deps: RouterState;
  private readonly indexes = new WeakMap<TenantSnapshot, SubscriptionIndex>();
  private readonly fanOuts: FanOuts;
  private readonly large: LargeEvents;
  private readonly filters: FilterScheduler;
  private readonly lifeGate: LifeGate;
  /**
   * Keeps the events of a tenant in order while one of them cannot be routed immediately: because
   * its data is loaded, its filters exceed their budget, or the configuration is refreshed. The
   * consumer's `max_ack_pending` bounds its length.
   */
  private readonly tenantQueue: PerKeySerialQueue<ArrivedEvent>;
  private readonly turns = new JsonTurns();
  private readonly events: Counter<'result'>;
  private readonly deliveries: Counter;
  private timer: NodeJS.Timeout | undefined;

  constructor(deps: RouterState) {
    this.deps = deps;
    this.lifeGate = new LifeGate({
      lives: deps.lives,
      refresh: (message, lifeId) => this.refresh(message, lifeId),
    });
    this.tenantQueue = new PerKeySerialQueue({
      start: (arrived, tenant) => this.startEvent(arrived, tenant),
      soon: setImmediate,
    });
    this.large = new LargeEvents({ store: deps.payloads, log: deps.log });
    this.filters = new FilterScheduler({ clock: deps.clock, log: deps.log });
    this.fanOuts = new FanOuts({
      log: deps.log,
      publisher: deps.publisher,
      lanes: deps.lanes,
      sequencer: deps.sequencer,
      onNotStored: (fanOut, error) => this.onNotStored(fanOut, error),
      onEnd: (fanOut) => this.finish(fanOut),
    });
    const registers = [deps.registry];
    this.events = new Counter({
      name: 'posthorn_router_events_total',
      help: 'Events routed, by whether they matched a subscription.',
      labelNames: ['result'],
      registers,
    });
    this.deliveries = new Counter({
      name: 'posthorn_router_deliveries_total',
      help: 'Deliveries created from events.',
      registers,
    });
  }

  /** Routes an event. Never throws. */
  take(message: InFlightEvent): void {
    try {
      const event = decodeEventFrame(asBuffer(message.data));
      this.tenantQueue.add(message.tenant, { message, event });
    } catch (error) {
      this.fail(message, error);
    }
  }

  /** Routes an event in its tenant's turn. Returns whether its place in the order is settled. */
  private startEvent({ message, event }: ArrivedEvent, tenant: string): boolean {
    const busy = this.route(message, tenant, event);
    if (busy === undefined) return true;
    void busy.then(() => this.tenantQueue.ended(tenant));
    return false;
  }

  /** Synchronous if nothing has to be awaited; otherwise the tenant's later events wait too. */
  private route(
    message: InFlightEvent,
    tenant: string,
    event: EventFrame,
  ): Promise<void> | undefined {
    try {
      const found = this.needsTime(tenant, event)
        ? this.matchHydrated(message, tenant, event)
        : this.match(message, tenant, event);
      if (!Array.isArray(found) || found.length === 0) {
        return this.routeLater(message, tenant, event, found);
      }
      this.begin(fanOutOf(message, tenant, event, found));
    } catch (error) {
      this.fail(message, error);
    }
    return undefined;
  }

  /**
   * An event that matches nothing may be ahead of the configuration, as when a client creates an
   * endpoint and publishes immediately: refresh the tenant, then match again. A tenant is refreshed
   * at most once a second, so unmatched events stay cheap. The tenant's later events wait, because
   * an ordered endpoint may have to receive this one first.
   */
  private async routeLater(
    message: InFlightEvent,
    tenant: string,
    event: EventFrame,
    found: Matched,
  ): Promise<void> {
    try {
      const known = this.deps.config.tenant(tenant);
      let endpoints = await found;
      if (endpoints.length === 0) {
        await this.refresh(message, tenant);
        if (!(await this.lifeGate.admits(message, tenant))) return;
        const isNews = this.deps.config.tenant(tenant) !== known;
        if (isNews) endpoints = await this.matchHydrated(message, tenant, event);
      }
      if (message.isOwner()) this.begin(fanOutOf(message, tenant, event, endpoints));
      else message.drop();
    } catch (error) {
      this.fail(message, error);
    }
  }

  /** Whether filters read `data` that has to be loaded, or parsed in slices. */
  private needsTime(tenant: string, event: EventFrame): boolean {
    const { payload, type } = event.head;
    if (payload === undefined && !isBuiltInTurns(event)) return false;
    return this.indexOf(tenant, event)?.needsData(type) === true;
  }

  /** Extends the ack deadlines of waiting events until `stop`. */
  start(): void {
    this.timer ??= setInterval(() => {
      for (const { message } of this.tenantQueue.entries()) message.working();
      for (const { message } of this.fanOuts.queued()) message.working();
    }, WORKING_EVERY_MS);
  }

  /**
   * The delay of a large fan-out counts from when the event was stored (RT-6): after a crash the
   * next router waits until the same moment.
   */
  private begin(fanOut: FanOut): void {
    const { message, endpoints } = fanOut;
    // A broadcast was delayed as a whole.
    const isCopy = fanOut.event.head.broadcast === true;
    const inOrder = endpoints.some(({ ordered }) => ordered !== undefined);
    // All copies of broadcasts share one turn; order is kept only in a tenant's own flow.
    if (isCopy && !inOrder) fanOut.flow = BROADCASTS;
    const atOnce = isCopy || inOrder;
    const delayMs = atOnce ? 0 : fanOutDelayMs(this.deps.fanOutDelays, endpoints.length);
    const waitMs = delayMs === 0 ? 0 : message.storedMs + delayMs - this.deps.now();
    if (waitMs <= 0) {
      fanOut.span = startRouteSpan(this.deps.tracing, fanOut.tenant, fanOut.event.head);
      this.fanOuts.add(fanOut);
      return;
    }
    // Never longer than the delay itself, if the clocks differ.
    message.nak(Math.min(waitMs, delayMs));
  }

  private async refresh(message: InFlightEvent, tenant: string): Promise<void> {
    await retryWhile(() => this.deps.refreshTenant(tenant), {
      ...REFRESH_RETRY,
      isWanted: () => message.isOwner(),
      onFailure: (error) =>
        this.deps.log.warn({ error: (error as Error).message }, 'router.refresh_failed'),
    });
  }

  private fail(message: InFlightEvent, error: unknown): void {
    const { log } = this.deps;
    const facts = { err: error, subject: message.subject };
    if (error instanceof SyntaxError) {
      // Ingress wrote it, so an undecodable event is damaged and would fail forever.
      log.error(facts, 'router.undecodable');
      message.term('undecodable');
    } else {
      // An internal error: the event must still be routed.
      log.error(facts, 'router.not_routed');
      message.nak(NAK_DELAY_MS);
    }
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private match(message: InFlightEvent, tenant: string, event: EventFrame): Matched {
    const index = this.indexOf(tenant, event);
    // The tenant was deleted after the event was accepted.
    if (index === undefined) return [];
    return this.matchIn(index, message, tenant, event);
  }

  /**
   * @param seen the event as filters see it: with the data of a large one
   * @param built the value of its data, with the members that the filters of `index` read
   */
  private matchIn(
    index: SubscriptionIndex,
    message: InFlightEvent,
    tenant: string,
    seen: EventFrame,
    built?: { value: unknown },
  ): Matched {
    return this.filters.match({
      tenant,
      index,
      type: seen.head.type,
      event: () => eventForFilter(seen, () => index.dataFields(seen.head.type), built),
      isOwner: () => message.isOwner(),
    });
  }

  private async matchHydrated(
    message: InFlightEvent,
    tenant: string,
    event: EventFrame,
  ): Promise<EndpointSnapshot[]> {
    if (!this.needsTime(tenant, event)) return this.match(message, tenant, event);
    const hydrated = await this.large.hydrate(event, () => message.isOwner());
    const index = this.indexOf(tenant, hydrated);
    if (index === undefined || !isBuiltInTurns(hydrated))
      return this.match(message, tenant, hydrated);
    const fields = index.dataFields(hydrated.head.type);
    const value = await parseDataInSlices(this.turns, tenant, hydrated.data, fields);
    return this.matchIn(index, message, tenant, hydrated, { value });
  }

  private indexOf(tenant: string, event: EventFrame): SubscriptionIndex | undefined {
    const snapshot = this.deps.config.tenant(tenant);
    if (snapshot === undefined) return undefined;
    let index = this.indexes.get(snapshot);
    if (index === undefined) {
      index = new SubscriptionIndex(snapshot, this.deps.faultyFilters, this.deps.clock);
      // Do not cache for a broadcast: it needs every tenant once, and would evict all others.
      if (event.head.broadcast !== true) this.indexes.set(snapshot, index);
    }
    return index;
  }

  private onNotStored(fanOut: FanOut, error: Error): void {
    if (!fanOut.failed) this.deps.log.warn({ error: error.message }, 'router.delivery_not_stored');
    fanOut.failed = true;
  }

  private finish(fanOut: FanOut): void {
    const { span } = fanOut;
    if (span !== undefined) endRouteSpan(span, fanOut.deliveries.length, fanOut.failed);
    if (!fanOut.message.isOwner()) return fanOut.message.drop();
    if (fanOut.failed) {
      // The event is redelivered; its stored deliveries are dropped as duplicates by their ids.
      fanOut.message.nak(NAK_DELAY_MS);
      return;
    }
    const { deliveries } = fanOut;
    this.events.inc({ result: deliveries.length === 0 ? 'unmatched' : 'matched' });
    this.deliveries.inc(deliveries.length);
    this.record(fanOut, () => fanOut.message.ack());
  }

  private record({ tenant, event, deliveries }: FanOut, stored: () => void): void {
    const { id, type, acceptedMs } = event.head;
    const routed = { k: 'routed', tenant, event: id, type, acceptedMs } as const;
    const total = deliveries.length;
    if (total <= RECORD_DELIVERIES_MAX) {
      this.deps.records.add({ ...routed, deliveries }, stored);
      return;
    }
    let open = Math.ceil(total / RECORD_DELIVERIES_MAX);
    for (let i = 0; i < total; i += RECORD_DELIVERIES_MAX) {
      const part = deliveries.slice(i, i + RECORD_DELIVERIES_MAX);
      this.deps.records.add({ ...routed, total, deliveries: part }, () => {
        if (--open === 0) stored();
      });
    }
  }
}
