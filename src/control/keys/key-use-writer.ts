import type { NatsConnection, Subscription } from '@nats-io/nats-core';
import type { Clock } from '#domain/clock.ts';
import type { Configuration } from '#infra/mongo/configuration.ts';
import type { Service } from '#infra/service.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { decodeKeyUses } from '#wire/key-uses.ts';
import { subjects } from '#wire/subjects.ts';

const QUEUE_GROUP = 'control';

export interface KeyUseWriterDeps {
  nc: NatsConnection;
  configuration: Pick<Configuration, 'apiKeyUses'>;
  clock: Pick<Clock, 'wallMs'>;
  log: Log;
}

/**
 * Stores when keys were last used (CT-8). Reports arrive in any order: the latest time stays. A
 * report that cannot be stored is dropped, because the next use of the key is reported too.
 */
export class KeyUseWriter implements Service {
  readonly name = 'key-use-writer';
  private readonly deps: KeyUseWriterDeps;
  private subscription: Subscription | undefined;
  private writing: Promise<void> = Promise.resolve();

  constructor(deps: KeyUseWriterDeps) {
    this.deps = deps;
  }

  async start(): Promise<void> {
    this.subscription = this.deps.nc.subscribe(subjects.keyUses, {
      queue: QUEUE_GROUP,
      callback: (error, message) => {
        if (error === null) this.take(message.string());
      },
    });
  }

  async stop(): Promise<void> {
    this.subscription?.unsubscribe();
    this.subscription = undefined;
    await this.writing;
  }

  private take(report: string): void {
    this.writing = this.writing
      .then(() => this.write(report))
      .catch((error: Error) => {
        this.deps.log.warn({ error: error.message }, 'key_uses.not_stored');
      });
  }

  private async write(report: string): Promise<void> {
    const { configuration, clock } = this.deps;
    // A clock that is ahead must not hide later uses.
    const now = clock.wallMs();
    const updates = decodeKeyUses(report).map(({ id, atMs }) => ({
      updateOne: {
        filter: { _id: id },
        update: { $max: { last_used_at: new Date(Math.min(atMs, now)) } },
        upsert: true,
      },
    }));
    if (updates.length > 0) await configuration.apiKeyUses.bulkWrite(updates, { ordered: false });
  }
}
