import type { Collection } from 'mongodb';
import type { Clock } from '#domain/clock.ts';
import { isPosthornError, PosthornError } from '#domain/errors.ts';
import { notFound } from '#domain/field-faults.ts';
import { newId } from '#domain/ids.ts';
import { limits } from '#domain/limits.ts';
import { readDocument } from '#domain/schema-documents/read-document.ts';
import type { Configuration } from '#infra/mongo/configuration.ts';
import type { EventTypeImportDocument } from '#infra/mongo/event-type-imports.ts';
import type {
  EventTypeImport,
  EventTypeImportItem,
  NewEventTypeImport,
} from '#wire/api/event-types/imports.ts';
import { etagOf } from '#wire/revision.ts';
import type { EventTypes } from '../event-types/registry.ts';
import { matches, type PlannedItem, planItem } from './import-items.ts';

type Result = NonNullable<EventTypeImportItem['result']>;

export interface EventTypeImportsDeps {
  imports: Collection<EventTypeImportDocument>;
  configuration: Pick<Configuration, 'eventTypes'>;
  eventTypes: Pick<EventTypes, 'put' | 'change'>;
  clock: Clock;
}

/**
 * Imports event types from a document (CT-4): first a plan, then its application. Applying changes
 * one type after the other, each only if it is as the plan found it. After a crash it can be
 * applied again: types that have the planned settings already count as applied.
 */
export class EventTypeImports {
  private readonly deps: EventTypeImportsDeps;

  constructor(deps: EventTypeImportsDeps) {
    this.deps = deps;
  }

  /** @throws PosthornError POSTHORN_REQUEST_INVALID, POSTHORN_LIMIT_EXCEEDED */
  async plan({ format, document }: NewEventTypeImport): Promise<EventTypeImport> {
    const described = readDocument(format, document);
    if (described.length > limits.eventTypesImportedMax) {
      const detail = `an import has at most ${limits.eventTypesImportedMax} event types`;
      throw new PosthornError('POSTHORN_LIMIT_EXCEEDED', { detail });
    }
    const names = described.map(({ name }) => name);
    const registered = await this.deps.configuration.eventTypes
      .find({ _id: { $in: names }, auto: false })
      .toArray();
    const known = new Map(registered.map((type) => [type._id, type]));
    const nowMs = this.deps.clock.wallMs();
    const planned: EventTypeImportDocument = {
      _id: newId('imp', nowMs),
      format,
      items: JSON.stringify(described.map((type) => planItem(type, known.get(type.name)))),
      created_at: new Date(nowMs),
      expires_at: new Date(nowMs + limits.importPlanKeptSeconds * 1000),
      applied_at: null,
      results: null,
    };
    await this.deps.imports.insertOne(planned);
    return toResource(planned);
  }

  /** @throws PosthornError POSTHORN_RESOURCE_UNKNOWN */
  async get(id: string): Promise<EventTypeImport> {
    return toResource(await this.find(id));
  }

  /**
   * Applies the plan; a plan that was applied is answered with its result.
   *
   * @throws PosthornError POSTHORN_RESOURCE_UNKNOWN
   */
  async apply(id: string): Promise<EventTypeImport> {
    const planned = await this.find(id);
    if (planned.applied_at !== null) return toResource(planned);
    const results: Result[] = [];
    for (const item of itemsOf(planned)) results.push(await this.applyItem(item));
    const applied = await this.deps.imports.findOneAndUpdate(
      { _id: id, applied_at: null },
      {
        $set: {
          results: JSON.stringify(results),
          applied_at: new Date(this.deps.clock.wallMs()),
        },
      },
      { returnDocument: 'after' },
    );
    // Another request has applied it at the same time: its result stands.
    return toResource(applied ?? (await this.find(id)));
  }

  private async applyItem({
    event_type: name,
    action,
    settings,
    revision,
  }: PlannedItem): Promise<Result> {
    const { configuration, eventTypes } = this.deps;
    if (action === 'refuse') return 'refused';
    if (action === 'unchanged') return 'unchanged';
    try {
      if (revision === null) await eventTypes.put(name, settings, { 'if-none-match': '*' });
      else {
        const change = { ...settings, schema: settings.schema ?? null };
        await eventTypes.change(name, change, { 'if-match': etagOf(revision) });
      }
      return 'applied';
    } catch (error) {
      if (!isPosthornError(error) || error.status >= 500) throw error;
      const known = await configuration.eventTypes.findOne({ _id: name, auto: false });
      return known !== null && matches(settings, known) ? 'applied' : 'changed_meanwhile';
    }
  }

  private async find(id: string): Promise<EventTypeImportDocument> {
    const found = await this.deps.imports.findOne({ _id: id });
    if (found === null || found.expires_at.getTime() <= this.deps.clock.wallMs()) {
      throw notFound('import', id, 'plans are kept for 24 hours');
    }
    return found;
  }
}

function itemsOf({ items }: EventTypeImportDocument): PlannedItem[] {
  return JSON.parse(items) as PlannedItem[];
}

function toResource(planned: EventTypeImportDocument): EventTypeImport {
  const results = planned.results === null ? [] : (JSON.parse(planned.results) as Result[]);
  return {
    id: planned._id,
    format: planned.format,
    status: planned.applied_at === null ? 'ready' : 'applied',
    items: itemsOf(planned).map((item, index) => {
      const { event_type, action, creates_version, errors } = item;
      return { event_type, action, creates_version, errors, result: results[index] ?? null };
    }),
    created_at: planned.created_at.toISOString(),
    expires_at: planned.expires_at.toISOString(),
    applied_at: planned.applied_at?.toISOString() ?? null,
  };
}
