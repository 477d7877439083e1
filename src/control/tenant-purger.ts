/**
 * Removes the history of deleted tenants (CT-1). A tenant's deletion leaves a mark in the same transaction;
 * from the mark the work is done by whichever control process comes first, again after a crash, and once more
 * a while later for what was still on its way through the streams. Only what was accepted before the
 * deletion goes: the tenant may have been made again since.
 */
import type { Configuration } from '#infra/mongo/configuration.ts';
import type { HealthStore } from '#infra/mongo/endpoint-health.ts';
import type { History } from '#infra/mongo/documents.ts';
import type { Log } from '#infra/telemetry/log.ts';

const EVERY_MS = 30_000;
/** For longer than a message waits for the projector in ordinary times; the history's expiry gets the rest. */
const MARK_KEPT_MS = 10 * 60_000;
const MARKS_AT_ONCE = 100;

export interface TenantPurgerDeps {
  configuration: Pick<Configuration, 'tenantPurges'>;
  history: History;
  health: HealthStore['health'];
  log: Log;
  clock: () => number;
}

export class TenantPurger {
  private readonly deps: TenantPurgerDeps;
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;

  constructor(deps: TenantPurgerDeps) {
    this.deps = deps;
  }

  start(): void {
    this.timer ??= setInterval(() => this.wake(), EVERY_MS);
    this.wake();
  }

  /** Looks for marks now, unless it is doing so. */
  wake(): void {
    this.running ??= this.purgeAll()
      .catch((error: unknown) => {
        this.deps.log.warn({ error: (error as Error).message }, 'tenant_purge.failed');
      })
      .finally(() => {
        this.running = undefined;
      });
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.running;
  }

  private async purgeAll(): Promise<void> {
    const { configuration, history, health, log, clock } = this.deps;
    const marks = await configuration.tenantPurges.find().limit(MARKS_AT_ONCE).toArray();
    for (const { _id: tenant, deleted_at } of marks) {
      const before = { tenant, accepted_at: { $lte: deleted_at } };
      const deliveries = await history.deliveries.deleteMany(before);
      const events = await history.events.deleteMany(before);
      const letters = await history.deadLetters.deleteMany(before);
      await health.deleteMany({ tenant, last_attempt_at: { $lte: deleted_at } });
      const counts = {
        events: events.deletedCount,
        deliveries: deliveries.deletedCount,
        dead_letters: letters.deletedCount,
      };
      log.info({ tenant_id: tenant, ...counts }, 'tenant_purge.done');
      if (clock() - deleted_at.getTime() > MARK_KEPT_MS) {
        await configuration.tenantPurges.deleteOne({ _id: tenant, deleted_at });
      }
    }
  }
}
