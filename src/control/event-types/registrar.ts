import type { Clock } from '#domain/clock.ts';
import { tenantIdOf } from '#domain/tenant.ts';
import { limits } from '#domain/limits.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { ConfigView } from '#wire/config-snapshot.ts';
import type { AutomaticTypes, SeenType } from './automatic-types.ts';

/** How often a type in use is recorded: much more often than its retention requires. */
const NOTE_EVERY_MS = 10 * 60_000;
/** For how long a key that has used up its share in a tenant gets no new names there. */
const FULL_FOR_MS = 60_000;

export interface EventTypeRegistrarDeps {
  types: Pick<AutomaticTypes, 'note'>;
  config: Pick<ConfigView, 'eventType' | 'tenant'>;
  log: Log;
  clock: Clock;
}

/**
 * Records the types of events that are not registered (IN-5, policy `auto`), for the tenant of the
 * event. A recently recorded type costs one look-up in memory.
 * Bounds: remembers `limits.automaticEventTypesRemembered` types and drops the oldest first; each
 * tenant has at most its share of them.
 */
export class EventTypeRegistrar {
  private readonly deps: EventTypeRegistrarDeps;
  /** When a type was last recorded, by tenant and name. */
  private readonly noted = new Map<string, number>();
  /** By tenant and key: until when it gets no new names. */
  private readonly fullUntilMs = new Map<string, number>();

  constructor(deps: EventTypeRegistrarDeps) {
    this.deps = deps;
  }

  /** @throws errors of MongoDB; calling it again is safe */
  async register(seen: readonly SeenType[]): Promise<void> {
    const { config, types, clock, log } = this.deps;
    const nowMs = clock.wallMs();
    for (const [owner, untilMs] of this.fullUntilMs) {
      if (untilMs <= nowMs) this.fullUntilMs.delete(owner);
    }
    const due = seen.filter((type) => {
      // Events of a deleted tenant may still be in the streams: do not record their types.
      if (config.tenant(type.tenant) === undefined) return false;
      if (config.eventType(type.name) !== undefined) return false;
      const notedMs = this.noted.get(keyOf(type));
      if (notedMs !== undefined) return nowMs - notedMs >= NOTE_EVERY_MS;
      return !this.fullUntilMs.has(ownerOf(type));
    });
    if (due.length === 0) return;
    const refused = new Set(await types.note(due));
    for (const type of due) if (!refused.has(type)) this.remember(keyOf(type), nowMs);
    for (const [owner, [first, ...more]] of Map.groupBy(refused, ownerOf)) {
      const { tenant, producerKey } = first as SeenType;
      this.fullUntilMs.set(owner, nowMs + FULL_FOR_MS);
      log.warn(
        { tenant_id: tenantIdOf(tenant), key_id: producerKey, unregistered: more.length + 1 },
        'event_types.tenant_full',
      );
    }
  }

  /** Forgets a removed name: its next event records it again. */
  forget(name: string): void {
    for (const key of this.noted.keys()) if (key.endsWith(`/${name}`)) this.noted.delete(key);
  }

  private remember(key: string, nowMs: number): void {
    this.noted.delete(key);
    this.noted.set(key, nowMs);
    if (this.noted.size <= limits.automaticEventTypesRemembered) return;
    const [oldest] = this.noted.keys();
    this.noted.delete(oldest as string);
  }
}

function ownerOf({ tenant, producerKey = '' }: SeenType): string {
  return `${tenant}/${producerKey}`;
}

function keyOf({ tenant, name }: SeenType): string {
  return `${tenant}/${name}`;
}
