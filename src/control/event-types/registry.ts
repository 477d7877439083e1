/**
 * Keeps the registry of event types (CT-4), and shows the automatic types, which are not
 * registered, alongside it. Only registered types are in the bucket CONFIG and count for
 * `limits.eventTypesMax`.
 */
import type { ClientSession } from 'mongodb';
import { PosthornError } from '#domain/errors.ts';
import { notFound } from '#domain/field-faults.ts';
import { isVisibleType, type VisibleTypes } from '#domain/event/visible-types.ts';
import { ofVisible } from '#infra/mongo/visible-types.ts';
import { limits } from '#domain/limits.ts';
import { toStoredStatus } from '#domain/stored-status.ts';
import { anyOf } from '#infra/mongo/any-of.ts';
import type { EventTypeDocument } from '#infra/mongo/configuration.ts';
import type {
  EventTypeChange,
  EventTypeListQuery,
  EventTypeResource,
  EventTypeSettings,
  EventTypeSummary,
} from '#wire/api/event-type.ts';
import {
  boundList,
  decodeCursor,
  encodeCursor,
  type Page,
  type PageSort,
  toPage,
} from '#wire/pagination.ts';
import { checkPreconditions, type Preconditions } from '#wire/revision.ts';
import { configKeys } from '#wire/subjects.ts';
import { changeInTurn, type ConfigurationDeps } from '../config-sync/change-tenant.ts';
import { turnKeys } from '../config-sync/change-turns.ts';
import { checkCompatibility } from './check-compatibility.ts';
import { checkSamples, checkSettings, nextVersions, storedNotes } from './settings-rules.ts';
import type { AutomaticTypes } from './automatic-types.ts';
import { asDocument, changedSettings, toResource, summarize } from './event-type-resource.ts';

const SORT: PageSort = { name: 'event_types', fields: ['string'] };

/**
 * The automatic types that a caller sees alongside the registered ones: those of all tenants, of
 * one life of a tenant, or none.
 */
export type AutomaticView = ({ of: 'all' } | { of: 'tenant'; tenant: string } | { of: 'none' }) & {
  /** The names that the caller sees. */
  visible: VisibleTypes;
};

export interface EventTypesDeps extends ConfigurationDeps {
  automatic: AutomaticTypes;
  /** Called after a type was removed. */
  onRemoved: (name: string) => void;
}

export class EventTypes {
  private readonly deps: EventTypesDeps;

  constructor(deps: EventTypesDeps) {
    this.deps = deps;
  }

  /**
   * Registers the type, or replaces its settings. Settings that are left out get their defaults, so
   * a type without `schema` accepts any data. A schema other than the newest one creates a new
   * version.
   */
  async put(
    name: string,
    body: EventTypeSettings,
    preconditions: Preconditions = {},
  ): Promise<{ created: boolean; eventType: EventTypeResource }> {
    const schema = checkSettings(body);
    return this.write(name, () => ({ body, schema }), preconditions);
  }

  /**
   * Changes the given settings and keeps the others; null removes a setting. An automatic type
   * becomes a registered one.
   *
   * @throws PosthornError POSTHORN_RESOURCE_UNKNOWN, and those of `put`
   */
  async change(
    name: string,
    body: EventTypeChange,
    preconditions: Preconditions,
  ): Promise<EventTypeResource> {
    const checked = checkSettings(body);
    const settingsOf = (known: EventTypeDocument | null): WrittenSettings => {
      if (known === null) throw notFound('event type', name);
      const stored = known.versions.at(-1)?.schema ?? null;
      const schema = body.schema === undefined ? stored : checked;
      return { body: changedSettings(known, body), schema };
    };
    return (await this.write(name, settingsOf, preconditions)).eventType;
  }

  /** @param settingsOf returns the settings after the change; of the type before it, if any */
  private async write(
    name: string,
    settingsOf: (known: EventTypeDocument | null) => WrittenSettings,
    preconditions: Preconditions,
  ): Promise<{ created: boolean; eventType: EventTypeResource }> {
    const { configuration, automatic, clock, publish } = this.deps;
    const seen = await automatic.find(undefined, name);
    const put = await changeInTurn(this.deps, turnKeys.eventTypes, async (session) => {
      const now = new Date(clock.wallMs());
      const registered = await configuration.eventTypes.findOne({ _id: name }, { session });
      const known = registered ?? (seen === undefined ? null : asDocument(seen));
      const { body, schema } = settingsOf(known);
      checkPreconditions(preconditions, known?.revision);
      const eventType: EventTypeDocument = {
        _id: name,
        description: body.description ?? null,
        status: toStoredStatus(body.status ?? 'active'),
        sensitive: body.sensitive ?? false,
        priority: body.priority ?? 'normal',
        producer_domain: body.producer_domain ?? null,
        compatibility: body.compatibility ?? 'none',
        deduplication: body.deduplication ?? null,
        ...storedNotes(body, known, now),
        auto: false,
        versions: nextVersions(known?.versions ?? [], schema, now),
        revision: (known?.revision ?? 0) + 1,
        created_at: known?.created_at ?? now,
        updated_at: now,
      };
      // An automatic type has no version that anybody wrote.
      const newest = registered?.versions.at(-1);
      if (newest) checkCompatibility(body.compatibility ?? 'none', newest, schema);
      checkSamples(body.samples, schema);
      if (registered?.auto !== false) await this.checkRoom(session);
      if (registered === null) {
        eventType.revision = Math.max(eventType.revision, await this.firstRevision(session));
        if (eventType.revision > 1) eventType.born_at = eventType.revision;
        await configuration.eventTypes.insertOne(eventType, { session });
      } else {
        if (registered.born_at !== undefined) eventType.born_at = registered.born_at;
        await configuration.eventTypes.replaceOne({ _id: name }, eventType, { session });
      }
      return { created: known === null, eventType };
    });
    await publish(configKeys.eventType(name));
    // A registered type takes no places of tenants. If a crash comes before this line, the rows
    // expire.
    await automatic.remove(name);
    return { created: put.created, eventType: toResource(put.eventType) };
  }

  /**
   * @throws PosthornError POSTHORN_RESOURCE_UNKNOWN, whether or not another tenant uses the name
   */
  async get(name: string, view: AutomaticView): Promise<EventTypeResource> {
    if (!isVisibleType(view.visible, name)) throw notFound('event type', name);
    const registered = await this.deps.configuration.eventTypes.findOne({
      _id: name,
      ...seenBy(view),
    });
    if (registered !== null) return toResource(registered);
    const seen =
      view.of === 'none' ? undefined : await this.deps.automatic.find(tenantOf(view), name);
    if (seen !== undefined) return toResource(asDocument(seen));
    throw notFound('event type', name);
  }

  async list(query: EventTypeListQuery, view: AutomaticView): Promise<Page<EventTypeSummary>> {
    const { limit, cursor, status } = query;
    const list = boundList(SORT, tenantOf(view) ?? '', query);
    const after = cursor === undefined ? undefined : (decodeCursor(list, cursor)[0] as string);
    const registered = await this.deps.configuration.eventTypes
      .find(
        {
          ...(after === undefined ? {} : { _id: { $gt: after } }),
          ...anyOf('status', status?.map(toStoredStatus)),
          ...seenBy(view),
          ...ofVisible('_id', view.visible),
        },
        { projection: { 'versions.schema': 0 } },
      )
      .sort({ _id: 1 })
      .limit(limit + 1)
      .toArray();
    const hasAutomatic = view.of !== 'none' && (status?.includes('active') ?? true);
    const seen = hasAutomatic
      ? await this.deps.automatic.list(tenantOf(view), after, limit + 1, view.visible)
      : [];
    const names = seen.map(({ name }) => name);
    const hidden = new Set(await this.registeredOf(names, view));
    const automatic = seen.filter(({ name }) => !hidden.has(name)).map(asDocument);
    // Names after the end of a truncated list may be missing here.
    const ends = [registered.at(limit)?._id, names.at(limit)].filter((end) => end !== undefined);
    const end = ends.sort()[0];
    const eventTypes = [...registered, ...automatic]
      .filter(({ _id }) => end === undefined || _id <= end)
      .sort((one, other) => (one._id < other._id ? -1 : 1));
    const page = toPage(eventTypes, limit, list, ({ _id }) => [_id], summarize);
    if (page.next_cursor === null && end !== undefined)
      page.next_cursor = encodeCursor(list, [end]);
    return page;
  }

  /**
   * Removes the type. From then on, its events are treated as events of an unregistered type.
   *
   * @throws PosthornError POSTHORN_RESOURCE_UNKNOWN, POSTHORN_PRECONDITION_FAILED,
   * POSTHORN_EVENT_TYPE_IN_USE
   */
  async remove(name: string, preconditions: Preconditions): Promise<void> {
    const { configuration, automatic, publish, onRemoved } = this.deps;
    const seen = await automatic.find(undefined, name);
    await changeInTurn(this.deps, turnKeys.eventTypes, async (session) => {
      const registered = await configuration.eventTypes.findOne({ _id: name }, { session });
      const known = registered ?? (seen === undefined ? null : asDocument(seen));
      if (known === null) throw notFound('event type', name);
      checkPreconditions(preconditions, known.revision);
      await this.checkUnused(known, session);
      if (registered === null) return;
      await configuration.eventTypes.deleteOne({ _id: name }, { session });
      const revision = registered.revision + 1;
      await configuration.eventTypeEnds.updateOne(
        { _id: 'revision' },
        { $max: { revision } },
        { session, upsert: true },
      );
    });
    await publish(configKeys.eventType(name));
    await automatic.remove(name);
    onRemoved(name);
  }

  /** Returns the names that are registered, with any status. */
  private async registeredOf(names: string[], view: AutomaticView): Promise<string[]> {
    const known = await this.deps.configuration.eventTypes
      .find({ _id: { $in: names }, ...seenBy(view) }, { projection: { _id: 1 } })
      .toArray();
    return known.map(({ _id }) => _id);
  }

  private async checkRoom(session: ClientSession): Promise<void> {
    const { eventTypes } = this.deps.configuration;
    const count = await eventTypes.countDocuments({ auto: false }, { session });
    if (count < limits.eventTypesMax) return;
    const detail = `there are at most ${limits.eventTypesMax} registered event types`;
    throw new PosthornError('POSTHORN_LIMIT_EXCEEDED', { detail });
  }

  /**
   * Returns a revision above all revisions of a removed type: so readers of CONFIG see the newer
   * registration as the higher revision, and an ETag of the earlier one matches nothing.
   */
  private async firstRevision(session: ClientSession): Promise<number> {
    const ends = await this.deps.configuration.eventTypeEnds.findOne(
      { _id: 'revision' },
      { session },
    );
    return (ends?.revision ?? 0) + 1;
  }

  /** @throws PosthornError POSTHORN_EVENT_TYPE_IN_USE that names the users */
  private async checkUnused(eventType: EventTypeDocument, session: ClientSession): Promise<void> {
    const { subscriptions } = this.deps.configuration;
    const users = await subscriptions
      .find({ event_types: eventType._id }, { session, projection: { tenant: 1 } })
      .sort({ _id: 1 })
      .limit(limits.fieldErrorsMax)
      .toArray();
    const fields = users.map(({ _id, tenant }) => ({
      pointer: '#path/name',
      detail: `is named by the subscription ${_id} of the tenant ${tenant}`,
    }));
    if (eventType.sensitive) {
      const detail = 'is sensitive: without it the data of its stored events would be shown';
      fields.push({ pointer: '#path/name', detail });
    }
    if (fields.length > 0) throw new PosthornError('POSTHORN_EVENT_TYPE_IN_USE', { fields });
  }
}

/**
 * An earlier version kept the automatic types of all tenants in the registry: only the operator
 * sees the remaining ones.
 */
function seenBy(view: AutomaticView): { auto?: false } {
  return view.of === 'all' ? {} : { auto: false };
}

function tenantOf(view: AutomaticView): string | undefined {
  return view.of === 'tenant' ? view.tenant : undefined;
}

/** Settings to write, and the JSON text of their schema. */
interface WrittenSettings {
  body: EventTypeSettings;
  schema: string | null;
}
