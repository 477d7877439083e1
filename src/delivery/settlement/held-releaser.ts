/**
 * Lets held deliveries go once their endpoint is active again (DL-18): in the order of their age, a few at a
 * time, and cancels those of an endpoint that is not configured any more.
 *
 * It looks at the streams, not at events of the configuration, so nothing has to be remembered over a crash.
 * Each delivery is published again under its next hop, its PubAck awaited, then the held message deleted: a
 * crash between the two publishes it again, and the server drops the repeat by its id. What is no delivery is removed.
 */
import type { JetStreamManager, StoredMsg } from '@nats-io/jetstream';
import type { Publisher } from '#infra/nats/publish/publisher.ts';
import { readBatch } from '#infra/nats/consume/read-batch.ts';
import type { RecordGatherer } from '#infra/nats/publish/record-batcher.ts';
import type { TenantLives } from '#infra/tenant-lives.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { ConfigView, EndpointSnapshot } from '#wire/config-snapshot.ts';
import {
  type DeliveryFrame,
  type EventFacts,
  decodeDeliveryFrame,
  deliveryMessageId,
  encodeDeliveryFrame,
  laneAgain,
} from '#wire/frames/delivery-frame.ts';
import { decodeEventFrame } from '#wire/frames/event-frame.ts';
import type { DeliveryRecord } from '#wire/frames/record.ts';
import { parseDeliverySubject, streams, subjects } from '#wire/subjects.ts';

const LOOK_EVERY_MS = 1000;
/** Released of one endpoint in one look: its pace. */
const BATCH = 200;
const STORE_TIMEOUT_MS = 10_000;

export interface HeldReleaserDeps {
  jsm: JetStreamManager;
  shards: number;
  /** Whether this worker owns a shard: it releases what is held there. */
  owns: (shard: number) => boolean;
  config: ConfigView;
  lives: TenantLives;
  /** Asks for a tenant's configuration unless it was asked for after `sinceMs` (monotonic). */
  refreshTenant: (tenant: string, sinceMs: number) => Promise<void>;
  /** Configurations under which the receiver said 410: what is held stays, as control has not heard of it yet. */
  gone: WeakSet<EndpointSnapshot>;
  publisher: Publisher;
  records: RecordGatherer;
  log: Log;
}

interface HeldDelivery {
  message: StoredMsg;
  frame: DeliveryFrame;
  event: EventFacts;
}

export class HeldReleaser {
  private readonly deps: HeldReleaserDeps;
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(deps: HeldReleaserDeps) {
    this.deps = deps;
  }

  start(): void {
    this.timer = setTimeout(() => {
      this.looking = this.look().finally(() => {
        if (!this.stopped) this.start();
      });
    }, LOOK_EVERY_MS);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.looking;
  }

  private async look(): Promise<void> {
    for (let shard = 0; shard < this.deps.shards && !this.stopped; shard++) {
      if (!this.deps.owns(shard)) continue;
      const stream = streams.deliveries(shard);
      try {
        const filter = { subjects_filter: subjects.heldOfAll };
        const { state } = await this.deps.jsm.streams.info(stream, filter);
        for (const subject of Object.keys(state.subjects ?? {})) {
          await this.visit(stream, subject);
        }
      } catch (error) {
        this.deps.log.warn({ stream, error: (error as Error).message }, 'held.look_failed');
      }
    }
  }

  private async visit(stream: string, subject: string): Promise<void> {
    const { tenant, endpoint: id } = parseDeliverySubject(subject);
    const { gone, lives, refreshTenant } = this.deps;
    let endpoint = this.endpoint(tenant, id);
    if (endpoint === undefined) {
      // The router may know of it before this process does, and what is not configured is cancelled.
      await refreshTenant(tenant, performance.now() - LOOK_EVERY_MS);
      if (lives.standing(tenant) === 'unborn') return;
      endpoint = this.endpoint(tenant, id);
    }
    if (endpoint !== undefined && (endpoint.state !== 'active' || gone.has(endpoint))) return;
    const query = { seq: 1, next_by_subj: subject, batch: BATCH };
    const held = await readBatch(this.deps.jsm, stream, query);
    // Published in the order in which they come, so the oldest goes first.
    const releases = held.map((message) => {
      const delivery = this.read(message);
      if (delivery === undefined || lives.drops(tenant, 'delivery')) {
        return this.remove(stream, message);
      }
      return this.release(stream, tenant, { message, ...delivery }, endpoint);
    });
    await Promise.all(releases);
  }

  private endpoint(tenant: string, id: string): EndpointSnapshot | undefined {
    return this.deps.config.tenant(tenant)?.endpoints.find((entry) => entry.id === id);
  }

  /** Undefined: not a delivery of ours. It can never be sent, and must not keep others waiting for ever. */
  private read(message: StoredMsg): Pick<HeldDelivery, 'frame' | 'event'> | undefined {
    try {
      const frame = decodeDeliveryFrame(message.data);
      const event = frame.head.byReference ?? decodeEventFrame(frame.eventBytes).head;
      return { frame, event };
    } catch (error) {
      this.deps.log.error({ err: error, subject: message.subject }, 'held.undecodable');
      return undefined;
    }
  }

  private async remove(stream: string, { seq }: StoredMsg): Promise<void> {
    await this.deps.jsm.streams.deleteMessage(stream, seq, false);
  }

  private async release(
    stream: string,
    tenant: string,
    { message, frame: { head, eventBytes }, event }: HeldDelivery,
    endpoint: EndpointSnapshot | undefined,
  ): Promise<void> {
    const next = { ...head, hop: head.hop + 1 };
    if (endpoint !== undefined) {
      await this.deps.publisher.publishAsync({
        subject: subjects.delivery(tenant, head.endpoint, laneAgain(event, endpoint)),
        payload: encodeDeliveryFrame(next, eventBytes),
        messageId: deliveryMessageId(next.id, next.hop),
        timeoutMs: STORE_TIMEOUT_MS,
      });
    }
    const record: DeliveryRecord = {
      k: 'delivery',
      tenant,
      event: event.id,
      type: event.type,
      acceptedMs: event.acceptedMs,
      id: head.id,
      endpoint: head.endpoint,
      hop: next.hop,
      status: endpoint === undefined ? 'cancelled' : 'pending',
      reason: endpoint === undefined ? 'endpoint_deleted' : 'released',
    };
    await new Promise<void>((stored) => this.deps.records.add(record, stored));
    await this.remove(stream, message);
  }
}
