import type { TestContext } from 'node:test';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/nats-core';
import { Registry } from 'prom-client';
import { systemClock } from '#infra/system-clock.ts';
import { Publisher } from '#infra/nats/publish/publisher.ts';
import { RecordBatcher } from '#infra/nats/publish/record-batcher.ts';
import type { Service } from '#infra/service.ts';
import { tenantIdOf } from '#domain/tenant.ts';
import { TenantLives } from '#infra/tenant-lives.ts';
import { createRouter, FaultyFilters, type RouterDeps } from '#src/router/mod.ts';
import { renewInProcess } from '../../kit/processes/renew-in-process.ts';
import type { SettingsChanges } from '#testkit/test-settings.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import type {
  EndpointSnapshot,
  SubscriptionSnapshot,
  TenantSnapshot,
} from '#wire/config-snapshot.ts';
import { type EventHead, type PayloadRef, encodeEventFrame } from '#wire/frames/event-frame.ts';
import type { RoutedRecord } from '#wire/frames/record.ts';
import { buckets, consumers, leaseKeys, streams, subjects } from '#wire/subjects.ts';
import { mapConfig } from '../map-config.ts';
import { type NatsCore, type StoredMessage, startNatsCore, storedMessages } from '../nats-core.ts';

export interface RouterPlaneOptions {
  window?: number;
  /** What the bucket knows and the router does not yet. */
  late?: TenantSnapshot[];
  settings?: SettingsChanges;
  /** False: the test starts `router` itself. */
  started?: boolean;
}

/** Further dependencies of a router. */
export interface RouterExtras {
  /** Opens its connection to NATS. */
  connect?: () => Promise<NatsConnection>;
  onBehindStep?: RouterDeps['onBehindStep'];
  behindTickMs?: number;
  /** Whether its connection was cut and stays so. */
  isCutOff?: () => boolean;
}

/** A router alone: real NATS, the configuration a map that the test writes. */
export class RouterPlane {
  readonly core: NatsCore;
  readonly tenants: Map<string, TenantSnapshot>;
  /** The tenants that have their own lane. */
  readonly lanes = new Set<string>();
  router: Service | undefined;
  /** Awaited by each refresh of a tenant. */
  refreshes: Promise<void> = Promise.resolve();
  private late: TenantSnapshot[] = [];
  private readonly stops: (() => Promise<void>)[];

  private constructor(
    core: NatsCore,
    tenants: Map<string, TenantSnapshot>,
    stops: (() => Promise<void>)[],
  ) {
    this.core = core;
    this.tenants = tenants;
    this.stops = stops;
  }

  static async start(
    t: TestContext,
    tenants: TenantSnapshot[],
    options: RouterPlaneOptions = {},
  ): Promise<RouterPlane> {
    const stops: (() => Promise<void>)[] = [];
    // Before the server goes: hooks run in the order in which they were added.
    t.after(async () => {
      for (const stop of stops) await stop();
    });
    const core = await startNatsCore(t, { settings: options.settings ?? {} });
    const plane = new RouterPlane(core, new Map(tenants.map((one) => [one.id, one])), stops);
    plane.late = options.late ?? [];
    const router = await plane.another('router-1', options.window);
    plane.router = router;
    if (options.started !== false) await router.start();
    return plane;
  }

  /** A router of the same streams, with its own connection; not started yet. */
  async another(name: string, window = 1024, more: RouterExtras = {}): Promise<Service> {
    const { core } = this;
    const nc = await (more.connect ?? core.connect)();
    const js = jetstream(nc);
    const publisher = new Publisher({ clock: systemClock, nc, window, log: core.log });
    const shards = core.settings.streams.shards;
    const records = new RecordBatcher({ clock: systemClock, publisher, shards, log: core.log });
    const config = mapConfig(this.tenants);
    const leases = await new Kvm(js).open(buckets.leases);
    const router = createRouter({
      brokerNow: Date.now,
      ...core,
      settings: core.settings.router,
      storage: core.settings.streams,
      js,
      jsm: await jetstreamManager(nc, { checkAPI: false }),
      publisher,
      records,
      config,
      lanes: this.lanes,
      refreshTenant: async (id) => {
        await this.refreshes;
        const late = this.late.find((one) => one.id === tenantIdOf(id));
        if (late !== undefined) this.tenants.set(late.id, late);
      },
      registry: new Registry(),
      lives: new TenantLives({
        clock: core.clock,
        config,
        log: core.log,
        registry: new Registry(),
      }),
      faultyFilters: new FaultyFilters({ log: core.log, registry: new Registry() }),
      leases,
      renewer: renewInProcess(leases, core.clock, core.log),
      worker: name,
      ...(more.onBehindStep === undefined ? {} : { onBehindStep: more.onBehindStep }),
      ...(more.behindTickMs === undefined ? {} : { behindTickMs: more.behindTickMs }),
    });
    this.stops.push(async () => {
      const isCutOff = more.isCutOff?.() === true;
      // Without a server there is no answer to wait for.
      if (isCutOff) {
        publisher.close();
        await nc.close();
        void router.stop(0);
        return;
      }
      await router.stop(5000);
      publisher.close();
    });
    return router;
  }

  async publish(
    id: string,
    options: {
      type?: string;
      data?: string;
      ext?: Record<string, string>;
      priority?: 'high';
      messageId?: string;
      tenant?: string;
      broadcast?: true;
      payload?: PayloadRef;
    } = {},
  ): Promise<EventHead> {
    const tenantId = options.tenant ?? 'acme';
    const head: EventHead = {
      id,
      type: options.type ?? 'order.created',
      source: '/shop',
      time: '2026-01-31T12:00:00Z',
      kind: 'json',
      acceptedMs: 1_700_000_000_000,
      correlationId: 'req_1',
    };
    if (options.ext !== undefined) head.ext = options.ext;
    if (options.broadcast !== undefined) head.broadcast = true;
    if (options.priority !== undefined) head.priority = options.priority;
    if (options.payload !== undefined) head.payload = options.payload;
    await this.core.publisher.publishAsync({
      subject: subjects.event(tenantId, head.type),
      payload: encodeEventFrame(head, options.data ?? '{"total":12.50}'),
      messageId: options.messageId ?? `${tenantId}:${id}`,
      timeoutMs: 10_000,
    });
    return head;
  }

  /** The record of an event's routing, once it is stored. */
  routed(event: string): Promise<RoutedRecord> {
    return waitUntil(
      async () =>
        (await this.core.storedRecords()).find(
          (record): record is RoutedRecord => record.k === 'routed' && record.event === event,
        ),
      { what: `${event} is routed`, deadlineMs: 30_000 },
    );
  }

  async routedCount(): Promise<number> {
    return (await this.core.storedRecords()).filter((record) => record.k === 'routed').length;
  }

  deliveries(shard = 0): Promise<StoredMessage[]> {
    return storedMessages(this.core.jsm, streams.deliveries(shard));
  }

  /** The names of the routers that own shards, by shard. */
  async owners(): Promise<Map<number, string>> {
    const leases = await new Kvm(this.core.js).open(buckets.leases);
    const keys = leaseKeys('router');
    const owners = new Map<number, string>();
    for (let shard = 0; shard < this.core.settings.streams.shards; shard++) {
      const entry = await leases.get(keys.shard(shard));
      if (entry !== null && entry.length > 0) owners.set(shard, entry.string());
    }
    return owners;
  }

  /** Every event is acked. */
  async settled(): Promise<void> {
    await waitUntil(async () => {
      const info = await this.core.jsm.consumers.info(streams.events(0), consumers.router);
      return info.num_ack_pending === 0 && info.num_pending === 0;
    });
  }
}

export function endpoint(
  id: string,
  state: EndpointSnapshot['state'] = 'active',
): EndpointSnapshot {
  return { id, url: 'https://example.com', state, format: 'standard', headers: {}, secrets: [] };
}

export function subscription(
  endpointId: string,
  eventTypes: string[],
  filter?: Record<string, unknown>,
): SubscriptionSnapshot {
  const id = `sub_${endpointId}_${eventTypes.join()}`;
  return { id, endpointId, eventTypes, ...(filter === undefined ? {} : { filter }) };
}

export function tenant(
  endpoints: EndpointSnapshot[],
  subscriptions: SubscriptionSnapshot[],
  id = 'acme',
): TenantSnapshot {
  return { v: 1, id, rev: 1, weight: 1, endpoints, subscriptions };
}
