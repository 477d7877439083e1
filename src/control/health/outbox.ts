/**
 * Publishes operational events from their outbox: publishes each, awaits its PubAck, then deletes
 * it. A crash between the two steps publishes it again under the same id. Any number of processes
 * may do this at the same time.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { OPERATIONAL_SOURCE } from '#domain/event/event-id.ts';
import { tenantIdOf } from '#domain/tenant.ts';
import type { HealthStore, OperationalEventDocument } from '#infra/mongo/endpoint-health.ts';
import type { Publisher } from '#infra/nats/publish/publisher.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { Service } from '#infra/service.ts';
import { encodeEventFrame } from '#wire/frames/event-frame.ts';
import { subjects } from '#wire/subjects.ts';

const EVERY_MS = 1000;
const AT_ONCE = 100;
const STORE_TIMEOUT_MS = 10_000;

export interface OperationalOutboxDeps {
  store: Pick<HealthStore, 'outbox'>;
  publisher: Pick<Publisher, 'publishAsync'>;
  log: Log;
}

export class OperationalOutbox implements Service {
  readonly name = 'operational-outbox';
  private readonly deps: OperationalOutboxDeps;
  private readonly stopping = new AbortController();
  private running: Promise<void> = Promise.resolve();

  constructor(deps: OperationalOutboxDeps) {
    this.deps = deps;
  }

  async start(): Promise<void> {
    this.running = this.run();
  }

  async stop(deadlineMs: number): Promise<void> {
    this.stopping.abort();
    await Promise.race([this.running, delay(deadlineMs, undefined, { ref: false })]);
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      const published = await this.publishSome().catch((error: unknown) => {
        this.deps.log.warn({ error: (error as Error).message }, 'operational_events.not_published');
        return 0;
      });
      if (published < AT_ONCE) await delay(EVERY_MS, undefined, { signal }).catch(() => {});
    }
  }

  private async publishSome(): Promise<number> {
    const { outbox } = this.deps.store;
    const events = await outbox.find().sort({ at: 1, _id: 1 }).limit(AT_ONCE).toArray();
    await Promise.all(events.map((event) => this.publish(event)));
    await outbox.deleteMany({ _id: { $in: events.map(({ _id }) => _id) } });
    return events.length;
  }

  private async publish(event: OperationalEventDocument): Promise<void> {
    const { tenant, id, type, data, at } = event;
    const head = {
      id,
      type,
      source: OPERATIONAL_SOURCE,
      time: at.toISOString(),
      kind: 'json' as const,
      acceptedMs: at.getTime(),
      correlationId: id,
    };
    await this.deps.publisher.publishAsync({
      subject: subjects.event(tenant, type),
      payload: encodeEventFrame(head, data),
      messageId: `${tenant}:${id}`,
      timeoutMs: STORE_TIMEOUT_MS,
    });
    this.deps.log.info(
      { tenant_id: tenantIdOf(tenant), event_id: id, type },
      'operational_event.published',
    );
  }
}
