/**
 * Removes the data of deleted tenants (CT-1): history, health, events, deliveries, payloads.
 *
 * A deletion leaves a mark for the ended life in its transaction. Any control process works from
 * the mark, again after a crash. It repeats the removal at growing intervals, because records may
 * wait in their streams for 3 days while MongoDB is down.
 *
 * Everything is selected by the life id. A late removal never touches a tenant that was created
 * again.
 */
import type { JetStreamManager } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import type { Collection } from 'mongodb';
import type { Clock } from '#domain/clock.ts';
import { tenantIdOf } from '#domain/tenant.ts';
import type { Configuration, TenantPurgeDocument } from '#infra/mongo/configuration.ts';
import type { HealthStore } from '#infra/mongo/endpoint-health.ts';
import type { History } from '#infra/mongo/documents.ts';
import type { IssueStore } from '#infra/mongo/issues/issues.ts';
import {
  ALL_TENANTS,
  type MetricCellDocument,
  cellsOfLife,
} from '#infra/mongo/metrics/metric-cells.ts';
import type { ReplayStore } from '#infra/mongo/replays/replay-store.ts';
import type { PayloadStore } from '#infra/payload-store.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { payloadOwner } from '#wire/webhook/payload-link.ts';
import { buckets, subjectsOfLife } from '#wire/subjects.ts';
import type { CurrentLives } from './current-lives.ts';

const EVERY_MS = 30_000;
/** Longer than records are kept in their streams. */
const MARK_KEPT_MS = 4 * 24 * 3600 * 1000;

export interface TenantPurgerDeps {
  configuration: Pick<Configuration, 'tenantPurges' | 'automaticEventTypes'>;
  lives: Pick<CurrentLives, 'find'>;
  history: History;
  health: HealthStore['health'];
  outbox: HealthStore['outbox'];
  metricCells: Collection<MetricCellDocument>;
  replays: ReplayStore;
  issueStore: IssueStore;
  payloads: Pick<PayloadStore, 'removeOf'>;
  /** Opened on first use: control starts while NATS is down. */
  jsm: () => Promise<JetStreamManager>;
  shards: number;
  log: Log;
  clock: Clock;
}

export class TenantPurger {
  private readonly deps: TenantPurgerDeps;
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private isAsked = false;

  constructor(deps: TenantPurgerDeps) {
    this.deps = deps;
  }

  start(): void {
    this.timer ??= setInterval(() => this.wake(), EVERY_MS);
    this.wake();
  }

  /** Looks for marks now, or once more after the pass in progress. */
  wake(): void {
    this.isAsked = true;
    this.running ??= this.run().finally(() => {
      this.running = undefined;
    });
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.isAsked = false;
    await this.running;
  }

  private async run(): Promise<void> {
    while (this.isAsked) {
      this.isAsked = false;
      await this.purgeAll().catch((error: unknown) => {
        this.deps.log.warn({ error: (error as Error).message }, 'tenant_purge.failed');
      });
    }
  }

  private async purgeAll(): Promise<void> {
    const { configuration, lives, payloads, clock } = this.deps;
    const due = { $or: [{ next_at: null }, { next_at: { $lte: new Date(clock.wallMs()) } }] };
    const marks = await configuration.tenantPurges.find(due as object).toArray();
    const over: TenantPurgeDocument[] = [];
    for (const mark of marks) {
      // A mark of a version without lives, whose tenant was created again by that version.
      const isAlive = (await lives.find(tenantIdOf(mark._id))) === mark._id;
      if (isAlive) await configuration.tenantPurges.deleteOne({ _id: mark._id });
      else over.push(mark);
    }
    if (over.length === 0) return;
    // Before the documents: messages in the streams create new ones.
    for (const { _id } of over) await this.purgeStreams(_id);
    await payloads.removeOf(new Set(over.map(({ _id }) => payloadOwner(_id))));
    for (const mark of over) await this.purgeDocuments(mark);
  }

  private async purgeStreams(lifeId: string): Promise<void> {
    const jsm = await this.deps.jsm();
    for (const { stream, filter } of subjectsOfLife(lifeId, this.deps.shards)) {
      await jsm.streams.purge(stream, { filter });
    }
    // As a deletion, so that its watchers get it.
    const lanes = await new Kvm(jsm.jetstream()).open(buckets.lanes);
    if ((await lanes.get(lifeId))?.operation === 'PUT') await lanes.delete(lifeId);
  }

  /** The totals of all tenants keep the counts, without the name. */
  private async purgeMetrics(lifeId: string): Promise<void> {
    const { metricCells } = this.deps;
    await metricCells.deleteMany({ _id: cellsOfLife(lifeId) });
    await metricCells.updateMany(
      { _id: cellsOfLife(ALL_TENANTS), 'rows.k': lifeId },
      { $pull: { rows: { k: lifeId } } },
    );
  }

  private async purgeDocuments({ _id, deleted_at }: TenantPurgeDocument): Promise<void> {
    const { configuration, history, health, outbox, replays, log, clock } = this.deps;
    const ofLife = { tenant: _id };
    const attempts = await history.attempts.deleteMany(ofLife);
    const deliveries = await history.deliveries.deleteMany(ofLife);
    const events = await history.events.deleteMany(ofLife);
    const letters = await history.deadLetters.deleteMany(ofLife);
    // Replays first: their end needs no list.
    await replays.replays.deleteMany(ofLife);
    await replays.plans.deleteMany(ofLife);
    await replays.chunks.deleteMany(ofLife);
    await health.deleteMany(ofLife);
    await outbox.deleteMany(ofLife);
    await this.purgeMetrics(_id);
    await this.deps.issueStore.issues.deleteMany(ofLife);
    await this.deps.issueStore.hours.deleteMany(ofLife);
    await configuration.automaticEventTypes.deleteMany(ofLife);
    const counts = {
      events: events.deletedCount,
      deliveries: deliveries.deletedCount,
      attempts: attempts.deletedCount,
      dead_letters: letters.deletedCount,
    };
    log.info({ tenant_id: tenantIdOf(_id), life_id: _id, ...counts }, 'tenant_purge.done');
    const nowMs = clock.wallMs();
    const ageMs = nowMs - deleted_at.getTime();
    if (ageMs > MARK_KEPT_MS) await configuration.tenantPurges.deleteOne({ _id, deleted_at });
    else {
      const next = new Date(nowMs + Math.max(EVERY_MS, ageMs));
      await configuration.tenantPurges.updateOne({ _id, deleted_at }, { $set: { next_at: next } });
    }
  }
}
