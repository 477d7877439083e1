import { limits } from '#domain/limits.ts';
import type { Configuration, EventTypeDocument } from '#infra/mongo/configuration.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { ConfigView } from '#wire/config-snapshot.ts';

export interface EventTypeRegistrarDeps {
  configuration: Pick<Configuration, 'eventTypes'>;
  config: Pick<ConfigView, 'eventType'>;
  log: Log;
  clock: () => number;
}

/**
 * Registers the types of events that were seen but never registered (IN-5, policy `auto`). A name that is
 * known costs a look-up in memory, whoever sees it first wins, and a registered type is never changed.
 */
export class EventTypeRegistrar {
  private readonly deps: EventTypeRegistrarDeps;
  /** What was registered here, until the configuration has it. */
  private readonly done = new Set<string>();

  constructor(deps: EventTypeRegistrarDeps) {
    this.deps = deps;
  }

  /** @throws whatever MongoDB throws; calling again is safe */
  async register(names: readonly string[]): Promise<void> {
    const unseen = names.filter(
      (name) => !this.done.has(name) && this.deps.config.eventType(name) === undefined,
    );
    if (unseen.length === 0) return;
    const { eventTypes } = this.deps.configuration;
    const room = limits.eventTypesMax - (await eventTypes.estimatedDocumentCount());
    if (room < unseen.length) {
      this.deps.log.warn({ unregistered: unseen.length }, 'event_types.full');
    }
    const registered = unseen.slice(0, Math.max(0, room));
    if (registered.length > 0) {
      const now = new Date(this.deps.clock());
      await eventTypes.bulkWrite(
        registered.map((name) => ({
          updateOne: {
            filter: { _id: name },
            update: { $setOnInsert: newEventType(now) },
            upsert: true,
          },
        })),
        { ordered: false },
      );
    }
    // Also those for which there was no room: asking again for each event would help nobody.
    if (this.done.size > limits.eventTypesMax) this.done.clear();
    for (const name of unseen) this.done.add(name);
  }
}

function newEventType(now: Date): Omit<EventTypeDocument, '_id'> {
  return {
    description: null,
    status: 'ACTIVE',
    sensitive: false,
    producer_domain: null,
    auto: true,
    versions: [{ version: 1, schema: null, created_at: now }],
    revision: 1,
    created_at: now,
    updated_at: now,
  };
}
