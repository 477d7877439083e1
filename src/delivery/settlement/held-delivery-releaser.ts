/**
 * Releases held deliveries once their endpoint is active again (DL-18), oldest first and in
 * batches. Cancels those whose endpoint is no longer configured.
 *
 * It polls the streams instead of following configuration events, so a crash loses no state. Each
 * delivery is published under its next hop, its PubAck is awaited, and then the held message is
 * deleted. A crash between the two publishes it again, and the server drops the duplicate by its
 * message id. Messages that are not deliveries are removed.
 */
import type { JetStreamManager, StoredMsg } from '@nats-io/jetstream';
import type { Clock } from '#domain/clock.ts';
import type { Publisher } from '#infra/nats/publish/publisher.ts';
import { readBatch } from '#infra/nats/consume/read-batch.ts';
import type { RecordBatcher } from '#infra/nats/publish/record-batcher.ts';
import type { TenantLives } from '#infra/tenant-lives.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { RepeatingFault } from '#infra/telemetry/repeating-fault.ts';
import type { ConfigView, EndpointSnapshot } from '#wire/config-snapshot.ts';
import {
  type DeliveryFrame,
  type EventFacts,
  decodeDeliveryFrame,
  deliveryMessageId,
  encodeDeliveryFrame,
  repeatClassOf,
  replayLinkOf,
} from '#wire/frames/delivery-frame.ts';
import { decodeEventFrame } from '#wire/frames/event-frame.ts';
import type { DeliveryRecord } from '#wire/frames/record.ts';
import { parseDeliverySubject, streams, subjects } from '#wire/subjects.ts';

const POLL_EVERY_MS = 1000;
/** Deliveries released for one endpoint in one poll. */
const BATCH = 200;
const STORE_TIMEOUT_MS = 10_000;

export interface HeldDeliveryReleaserDeps {
  jsm: JetStreamManager;
  shards: number;
  /** Whether this worker owns the shard; it releases only its own shards' deliveries. */
  owns: (shard: number) => boolean;
  config: ConfigView;
  lives: TenantLives;
  /** Fetches a tenant's configuration unless it was fetched after `sinceMs` (monotonic). */
  refreshTenant: (tenant: string, sinceMs: number) => Promise<void>;
  /**
   * Configurations to which the receiver answered 410. Their deliveries stay held, because control
   * may not have disabled the endpoint yet.
   */
  gone: WeakSet<EndpointSnapshot>;
  publisher: Publisher;
  records: RecordBatcher;
  log: Log;
  clock: Clock;
}

interface HeldDelivery {
  message: StoredMsg;
  frame: DeliveryFrame;
  event: EventFacts;
}

export class HeldDeliveryReleaser {
  private readonly deps: HeldDeliveryReleaserDeps;
  private readonly fault: RepeatingFault;
  private timer: NodeJS.Timeout | undefined;
  private polling: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(deps: HeldDeliveryReleaserDeps) {
    this.deps = deps;
    this.fault = new RepeatingFault(deps.log, 'held.look_failed', deps.clock.monotonicMs);
  }

  start(): void {
    this.timer = setTimeout(() => {
      this.polling = this.poll().finally(() => {
        if (!this.stopped) this.start();
      });
    }, POLL_EVERY_MS);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.polling;
  }

  private async poll(): Promise<void> {
    for (let shard = 0; shard < this.deps.shards && !this.stopped; shard++) {
      if (!this.deps.owns(shard)) continue;
      const stream = streams.deliveries(shard);
      try {
        const filter = { subjects_filter: subjects.heldOfAll };
        const { state } = await this.deps.jsm.streams.info(stream, filter);
        for (const subject of Object.keys(state.subjects ?? {})) {
          await this.releaseEndpoint(stream, subject);
        }
      } catch (error) {
        this.fault.failed(error as Error, { stream });
      }
    }
  }

  private async releaseEndpoint(stream: string, subject: string): Promise<void> {
    const { tenant, endpoint: id } = parseDeliverySubject(subject);
    const { gone, lives, refreshTenant } = this.deps;
    let endpoint = this.endpoint(tenant, id);
    if (endpoint === undefined) {
      // The router may learn of an endpoint before this process, and deliveries to unknown
      // endpoints are cancelled.
      await refreshTenant(tenant, this.deps.clock.monotonicMs() - POLL_EVERY_MS);
      if (lives.status(tenant) === 'unborn') return;
      endpoint = this.endpoint(tenant, id);
    }
    if (endpoint !== undefined && (endpoint.state !== 'active' || gone.has(endpoint))) return;
    const query = { seq: 1, next_by_subj: subject, batch: BATCH };
    const held = await readBatch(this.deps.jsm, stream, query);
    // Publishing in stream order releases the oldest first.
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

  /**
   * Undefined if the message is not a delivery: it can never be sent, and must not block others
   * forever.
   */
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
        subject: subjects.delivery(tenant, head.endpoint, repeatClassOf(event, endpoint)),
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
      ...replayLinkOf(head),
    };
    await new Promise<void>((stored) => this.deps.records.add(record, stored));
    await this.remove(stream, message);
  }
}
