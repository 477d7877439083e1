import { randomBytes } from 'node:crypto';
import type { TestContext } from 'node:test';
import { Kvm } from '@nats-io/kv';
import { Registry } from 'prom-client';
import { deliveryId } from '#domain/ids.ts';
import type {
  ClientCertificate,
  OutboundCredentials,
} from '#domain/endpoint/outbound-credentials.ts';
import type { RetryPolicy } from '#domain/outcome/verdict.ts';
import { SecretBox } from '#infra/crypto/secret-box.ts';
import { LaneStore } from '#infra/nats/stores/lane-store.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { LANE_RULES, type LaneRules } from '#src/delivery/lanes/lane-rules.ts';
import { createDelivery } from '#src/delivery/mod.ts';
import { renewInProcess } from '../../kit/renew-in-process.ts';
import { waitUntil } from '../../kit/wait-until.ts';
import { WebhookReceiver } from '../../kit/webhook-receiver.ts';
import { TenantLives } from '#infra/tenant-lives.ts';
import type { EndpointSnapshot, TenantSnapshot } from '#wire/config-snapshot.ts';
import {
  type DeliveryHead,
  deliveryMessageId,
  encodeDeliveryFrame,
} from '#wire/frames/delivery-frame.ts';
import { type EventHead, encodeEventFrame } from '#wire/frames/event-frame.ts';
import { sealCredentials } from '#wire/sealed-credentials.ts';
import { PayloadLinks } from '#wire/webhook/payload-link.ts';
import type { DeliveryRecord, EndpointGoneRecord } from '#wire/frames/record.ts';
import { newSecret } from '#wire/webhook/signature.ts';
import { type LaneClass, buckets, subjects } from '#wire/subjects.ts';
import { mapConfig } from '../map-config.ts';
import { metricValue } from '../metric-value.ts';
import {
  type NatsCore,
  type StoredMessage,
  startNatsCore,
  storedMessages,
} from '../publisher/nats-core.ts';

/** Retries after a third of a second, twice; then the delivery is dead. */
const QUICK: RetryPolicy = {
  delaysSeconds: [0.3, 0.3],
  finalStatuses: [],
  retryAfterMaxMs: 60_000,
};

export interface WorkerOptions {
  env?: Record<string, string>;
  retryPolicy?: RetryPolicy;
  laneRules?: Partial<LaneRules>;
  /** Absent: that of all tests. */
  log?: Log;
}

/** A delivery worker alone: real NATS and receiver, the configuration a map that the test writes. */
export class Worker {
  readonly core: NatsCore;
  readonly receiver: WebhookReceiver;
  readonly tenants = new Map<string, TenantSnapshot>();
  readonly secret = newSecret();
  readonly registry = new Registry();
  lanes!: LaneStore;
  /** What is done when the bucket of the configuration is asked for a tenant. */
  onRefresh: (tenant: string) => void = () => {};
  /** Stops the worker that it was started with. */
  stopFirst: () => Promise<void> = () => Promise.resolve();
  private laneRules: LaneRules = LANE_RULES;
  private log: Log | undefined;
  readonly links = new PayloadLinks(randomBytes(32).toString('base64'));
  private readonly box = new SecretBox(randomBytes(32).toString('base64'));
  private events = 0;

  private readonly retryPolicy: RetryPolicy;

  private constructor(core: NatsCore, receiver: WebhookReceiver, retryPolicy: RetryPolicy) {
    this.core = core;
    this.receiver = receiver;
    this.retryPolicy = retryPolicy;
  }

  static async start(t: TestContext, options: WorkerOptions = {}): Promise<Worker> {
    const receiver = await WebhookReceiver.start();
    const stops: (() => Promise<void>)[] = [() => receiver.close()];
    // Before what it uses: hooks run in the order in which they were added.
    t.after(async () => {
      for (const stop of stops) await stop();
    });
    const core = await startNatsCore(t, { env: options.env ?? {} });
    const worker = new Worker(core, receiver, options.retryPolicy ?? QUICK);
    worker.lanes = new LaneStore(core);
    worker.log = options.log;
    worker.laneRules = { ...LANE_RULES, ...options.laneRules };
    await worker.lanes.start();
    stops.push(async () => worker.lanes.stop());
    worker.stopFirst = await worker.begin('worker-1', worker.registry);
    stops.push(() => worker.stopFirst());
    return worker;
  }

  /** Another worker of the same streams; gives what stops it. */
  async begin(name: string, registry = new Registry()): Promise<() => Promise<void>> {
    const { core } = this;
    const config = mapConfig(this.tenants);
    const leases = await new Kvm(core.js).open(buckets.leases);
    const service = createDelivery({
      brokerNow: Date.now,
      ...core,
      log: this.log ?? core.log,
      lanes: this.lanes,
      laneRules: this.laneRules,
      config,
      lives: new TenantLives({ config, log: core.log, registry }),
      refreshTenant: async (tenant) => this.onRefresh(tenant),
      secretBox: this.box,
      payloadLinks: this.links,
      registry,
      leases,
      renewer: renewInProcess(leases, core.log),
      ordered: await new Kvm(core.js).open(buckets.ordered),
      worker: name,
      retryPolicy: this.retryPolicy,
    });
    await service.start();
    return () => service.stop(5000);
  }

  /** Adds or changes an endpoint: a new snapshot takes the place of the tenant's. */
  endpoint(tenant: string, id: string, changes: Partial<EndpointSnapshot> = {}): void {
    const known = this.tenants.get(tenant);
    const before = known?.endpoints.find((endpoint) => endpoint.id === id);
    const endpoint: EndpointSnapshot = {
      id,
      url: this.receiver.url(`/${tenant}/${id}`),
      state: 'active',
      format: 'standard',
      headers: {},
      secrets: [{ sealed: this.box.seal(this.secret, id) }],
      ...before,
      ...changes,
    };
    const others = known?.endpoints.filter((other) => other.id !== id) ?? [];
    this.tenants.set(tenant, {
      v: 1,
      id: tenant,
      weight: 1,
      ...known,
      rev: (known?.rev ?? 0) + 1,
      endpoints: [...others, endpoint],
      subscriptions: [],
    });
  }

  /** Credentials of an endpoint as its snapshot has them. */
  sealed(
    id: string,
    given: {
      headers?: Record<string, string>;
      credentials?: OutboundCredentials;
      certificate?: ClientCertificate;
    },
  ): Partial<EndpointSnapshot> {
    const seal = (text: string, context: string): string => this.box.seal(text, context);
    const { headers, credentials, certificate } = given;
    const out: Partial<EndpointSnapshot> = {};
    if (headers) out.sealedHeaders = sealCredentials(seal, 'headers', id, headers);
    if (credentials) out.sealedCredentials = sealCredentials(seal, 'credentials', id, credentials);
    if (certificate) {
      out.sealedCertificate = sealCredentials(seal, 'client_certificate', id, certificate);
    }
    return out;
  }

  /** Changes the tenant itself, which has an endpoint. */
  tenant(id: string, changes: Partial<TenantSnapshot>): void {
    const known = this.tenants.get(id) as TenantSnapshot;
    this.tenants.set(id, { ...known, rev: known.rev + 1, ...changes });
  }

  /** Publishes a delivery as the router does; gives the event's head and the delivery's. */
  async owe(
    tenant: string,
    endpoint: string,
    options: {
      data?: string | Buffer;
      byReference?: boolean;
      seq?: number;
      type?: string;
      lane?: LaneClass;
      head?: Partial<EventHead>;
    } = {},
  ): Promise<{ event: EventHead; delivery: DeliveryHead }> {
    const acceptedMs = Date.now();
    const event: EventHead = {
      id: `e${this.events++}`,
      type: options.type ?? 'order.created',
      source: '/shop',
      time: new Date(acceptedMs).toISOString(),
      kind: 'json',
      acceptedMs,
      correlationId: 'req_1',
      ...options.head,
    };
    if (options.lane === 'h') event.priority = 'high';
    const frame = encodeEventFrame(event, options.data ?? '{"total": 1.0}');
    const delivery: DeliveryHead = {
      id: deliveryId(tenant, event.id, endpoint),
      endpoint,
      attemptNo: 1,
      hop: 0,
      eventSeq: options.seq ?? 0,
    };
    if (options.byReference === true) {
      const { id, type } = event;
      delivery.byReference = { id, type, acceptedMs };
      if (event.priority !== undefined) delivery.byReference.priority = event.priority;
      delivery.eventSeq = options.seq ?? (await this.storeEvent(tenant, event, frame));
    }
    const inline = options.byReference === true ? Buffer.alloc(0) : frame;
    await this.core.publisher.publishAsync({
      subject: subjects.delivery(tenant, endpoint, options.lane),
      payload: encodeDeliveryFrame(delivery, inline),
      messageId: deliveryMessageId(delivery.id, 0),
      timeoutMs: 10_000,
    });
    return { event, delivery };
  }

  private async storeEvent(tenant: string, event: EventHead, frame: Buffer): Promise<number> {
    const ack = await this.core.publisher.publishAsync({
      subject: subjects.event(tenant, event.type),
      payload: frame,
      messageId: `${tenant}:${event.id}`,
      timeoutMs: 10_000,
    });
    return ack.seq;
  }

  /** What is told of a delivery until its last state is the wanted one. */
  recordsUntil(id: string, status: DeliveryRecord['status']): Promise<DeliveryRecord[]> {
    return waitUntil(
      async () => {
        const records = (await this.core.storedRecords()).filter(
          (record): record is DeliveryRecord => record.k === 'delivery' && record.id === id,
        );
        return records.at(-1)?.status === status ? records : undefined;
      },
      { what: `${id} is ${status}`, deadlineMs: 30_000, intervalMs: 30 },
    );
  }

  async goneRecords(): Promise<EndpointGoneRecord[]> {
    const records = await this.core.storedRecords();
    return records.filter((record) => record.k === 'endpoint-gone');
  }

  /** What the shard's stream still holds: owed, waiting or held. */
  owed(): Promise<StoredMessage[]> {
    return storedMessages(this.core.jsm, 'DLV-0');
  }

  async nothingOwed(): Promise<void> {
    await waitUntil(async () => (await this.owed()).length === 0, { what: 'nothing is owed' });
  }

  deadLetters(): Promise<StoredMessage[]> {
    return storedMessages(this.core.jsm, 'DLQ');
  }

  metric(name: string, labels?: Record<string, string>): Promise<number> {
    return metricValue(this.registry, name, labels);
  }
}
