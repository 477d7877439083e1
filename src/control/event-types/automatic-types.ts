/**
 * Stores the event types that tenants use without registration. They belong to each tenant
 * separately: a type of one tenant is not visible to another and takes no place from it, and none
 * takes a place in the registry.
 * Bounds: `limits.automaticEventTypesPerTenantMax` for each tenant, enforced by a unique index on
 * numbered places. Within it an API key that is bound to no tenant has a share, and so have the
 * keys of the tenant together (`isWithinShare`): no key takes the last places. A type that no
 * event has used for `AUTOMATIC_TYPE_KEPT_SECONDS` is no longer shown, and a TTL index removes it
 * within minutes.
 */
import { isVisibleType, type VisibleTypes } from '#domain/event/visible-types.ts';
import type { Filter } from 'mongodb';
import type { Clock } from '#domain/clock.ts';
import { isWithinShare } from '#domain/contention/fair-shares.ts';
import { limits } from '#domain/limits.ts';
import {
  AUTOMATIC_TYPE_KEPT_SECONDS,
  type AutomaticEventTypeDocument,
  type Configuration,
} from '#infra/mongo/configuration.ts';
import { duplicateKeys } from '#infra/mongo/duplicate-keys.ts';

/** Rows of one read: a name that many tenants use has a row for each. */
const READ_AT_ONCE = 500;

/** Owner of the places that keys of the tenant hold together. */
const OWN = '';

export interface SeenType {
  /** Life id. */
  tenant: string;
  name: string;
  /** Id of the API key that sent the event, if it is bound to no tenant. */
  producerKey?: string | undefined;
}

/** An automatic type, and when its first event was seen. */
export interface AutomaticType {
  name: string;
  firstSeenAt: Date;
}

export interface AutomaticTypesDeps {
  configuration: Pick<Configuration, 'automaticEventTypes'>;
  clock: Clock;
}

export class AutomaticTypes {
  private readonly deps: AutomaticTypesDeps;

  constructor(deps: AutomaticTypesDeps) {
    this.deps = deps;
  }

  /**
   * Records that events of these types were seen. Repeating it only updates the time.
   *
   * @returns the types without a place, because their tenant or key has used up its share
   */
  async note(seen: readonly SeenType[]): Promise<SeenType[]> {
    const { automaticEventTypes } = this.deps.configuration;
    const now = new Date(this.deps.clock.wallMs());
    const byId = new Map(seen.map((type) => [idOf(type), type]));
    const ids = { _id: { $in: [...byId.keys()] } };
    await automaticEventTypes.updateMany(ids, { $set: { last_seen_at: now } });
    const known = await automaticEventTypes.find(ids, { projection: { _id: 1 } }).toArray();
    for (const { _id } of known) byId.delete(_id);
    const refused: SeenType[] = [];
    for (const [tenant, types] of Map.groupBy(byId.values(), (type) => type.tenant)) {
      refused.push(...(await this.add(tenant, types, now)));
    }
    return refused;
  }

  /** @param tenant life id of a tenant; undefined: all tenants, each name once */
  async find(tenant: string | undefined, name: string): Promise<AutomaticType | undefined> {
    const [row] = await this.read(tenant, { $eq: name }, 1);
    return row;
  }

  /**
   * Lists the first `count` types by name.
   *
   * @param tenant life id of a tenant; undefined: all tenants, each name once
   * @param after the name after which the list begins
   */
  async list(
    tenant: string | undefined,
    after: string | undefined,
    count: number,
    visible: VisibleTypes,
  ): Promise<AutomaticType[]> {
    const found = new Map<string, AutomaticType>();
    let last = after;
    while (found.size < count) {
      const rows = await this.read(tenant, last === undefined ? {} : { $gt: last }, READ_AT_ONCE);
      // The first row of a name is the oldest.
      for (const row of rows) {
        if (!found.has(row.name) && isVisibleType(visible, row.name)) found.set(row.name, row);
      }
      // Skip the remaining rows of the last name.
      last = rows.at(-1)?.name;
      if (rows.length < READ_AT_ONCE) break;
    }
    return [...found.values()].slice(0, count);
  }

  /** Removes the name for every tenant. @returns whether it existed */
  async remove(name: string): Promise<boolean> {
    const { deletedCount } = await this.deps.configuration.automaticEventTypes.deleteMany({ name });
    return deletedCount > 0;
  }

  private async read(
    tenant: string | undefined,
    name: Filter<string>,
    count: number,
  ): Promise<AutomaticType[]> {
    const since = new Date(this.deps.clock.wallMs() - AUTOMATIC_TYPE_KEPT_SECONDS * 1000);
    const rows = await this.deps.configuration.automaticEventTypes
      .find({
        ...(tenant === undefined ? {} : { tenant }),
        ...(Object.keys(name).length === 0 ? {} : { name }),
        last_seen_at: { $gt: since },
      })
      .sort(tenant === undefined ? { name: 1, first_seen_at: 1 } : { name: 1 })
      .limit(count)
      .toArray();
    return rows.map((row) => ({ name: row.name, firstSeenAt: row.first_seen_at }));
  }

  private async add(tenant: string, types: SeenType[], now: Date): Promise<SeenType[]> {
    const { automaticEventTypes } = this.deps.configuration;
    const share = await this.shareOf(tenant);
    const refused: SeenType[] = [];
    const rows: AutomaticEventTypeDocument[] = [];
    for (const type of types) {
      const place = share.take(type.producerKey);
      if (place === undefined) {
        refused.push(type);
        continue;
      }
      rows.push({
        _id: idOf(type),
        tenant,
        name: type.name,
        place,
        ...(type.producerKey === undefined ? {} : { producer_key: type.producerKey }),
        first_seen_at: now,
        last_seen_at: now,
      });
    }
    if (rows.length > 0) {
      await automaticEventTypes.insertMany(rows, { ordered: false }).catch((error: unknown) => {
        // Another process took the place, or recorded the same type: a later event of the type
        // retries.
        if (duplicateKeys(error) === undefined) throw error;
      });
    }
    return refused;
  }

  private async shareOf(tenant: string): Promise<TenantShare> {
    const taken = await this.deps.configuration.automaticEventTypes
      .find({ tenant }, { projection: { place: 1, producer_key: 1 } })
      .toArray();
    return new TenantShare(taken);
  }
}

/** The places of one tenant, and the keys that hold them. */
class TenantShare {
  private readonly free: number[];
  private readonly held = new Map<string, number>();

  constructor(taken: Pick<AutomaticEventTypeDocument, 'place' | 'producer_key'>[]) {
    const places = new Set(taken.map(({ place }) => place));
    const all = Array.from({ length: limits.automaticEventTypesPerTenantMax }, (_, i) => i);
    this.free = all.filter((place) => !places.has(place));
    for (const { producer_key: key } of taken) this.count(key);
  }

  /** Returns a place; undefined if the key has used up its share. */
  take(key: string | undefined): number | undefined {
    if (!isWithinShare(this.held.get(key ?? OWN) ?? 0, 1, this.free.length)) return undefined;
    this.count(key);
    return this.free.shift();
  }

  private count(key: string = OWN): void {
    this.held.set(key, (this.held.get(key) ?? 0) + 1);
  }
}

function idOf({ tenant, name }: SeenType): string {
  return `${tenant}/${name}`;
}
