/** The registry of event types (CT-4). */
import { checkFormulaFields } from '#domain/deduplication.ts';
import { PosthornError } from '#domain/errors.ts';
import type { EventTypeState } from '#domain/event-type.ts';
import { validateSchema } from '#domain/json-schema/validate-schema.ts';
import { limits } from '#domain/limits.ts';
import type { EventTypeDocument } from '#infra/mongo/configuration.ts';
import { runTransaction } from '#infra/mongo/transaction.ts';
import type {
  EventTypeResource,
  EventTypeSettings,
  EventTypeSummary,
} from '#wire/api/event-type.ts';
import type { PageQuery } from '#wire/api/page.ts';
import { decodeCursor, type Page, type PageSort, toPage } from '#wire/pagination.ts';
import { checkIfMatch } from '#wire/revision.ts';
import { configKeys } from '#wire/subjects.ts';
import type { ConfigurationDeps } from './change-tenant.ts';

const SORT: PageSort = { name: 'event_types', fields: ['string'] };

export class EventTypes {
  private readonly deps: ConfigurationDeps;

  constructor(deps: ConfigurationDeps) {
    this.deps = deps;
  }

  /**
   * Registers the type, or replaces its settings: what is left out is as at the start, so a type that is put
   * without `schema` takes any data. A schema other than the newest makes a new version.
   */
  async put(
    name: string,
    body: EventTypeSettings,
    ifMatch: string | undefined,
  ): Promise<{ created: boolean; eventType: EventTypeResource }> {
    const { mongo, configuration, clock, publish } = this.deps;
    const schema = checkSchema(body.schema);
    const { deduplication } = body;
    if (deduplication) checkFormulaFields(deduplication.fields, '/deduplication/fields');
    const put = await runTransaction(mongo, async (session) => {
      const now = new Date(clock());
      const known = await configuration.eventTypes.findOne({ _id: name }, { session });
      checkIfMatch(ifMatch, known?.revision);
      const eventType: EventTypeDocument = {
        _id: name,
        description: body.description ?? null,
        status: body.status ?? 'ACTIVE',
        sensitive: body.sensitive ?? false,
        priority: body.priority ?? 'normal',
        producer_domain: body.producer_domain ?? null,
        deduplication: deduplication ?? null,
        auto: false,
        versions: nextVersions(known?.versions ?? [], schema, now),
        revision: (known?.revision ?? 0) + 1,
        created_at: known?.created_at ?? now,
        updated_at: now,
      };
      if (known === null) {
        await this.checkRoom();
        await configuration.eventTypes.insertOne(eventType, { session });
      } else {
        await configuration.eventTypes.replaceOne({ _id: name }, eventType, { session });
      }
      return { created: known === null, eventType };
    });
    await publish(configKeys.eventType(name));
    return { created: put.created, eventType: show(put.eventType) };
  }

  async get(name: string): Promise<EventTypeResource> {
    const eventType = await this.deps.configuration.eventTypes.findOne({ _id: name });
    if (eventType !== null) return show(eventType);
    throw new PosthornError('POSTHORN_RESOURCE_UNKNOWN', {
      detail: `there is no event type ${name}`,
    });
  }

  async list(query: PageQuery & { status?: EventTypeState }): Promise<Page<EventTypeSummary>> {
    const { limit, cursor, status } = query;
    const after =
      cursor === undefined ? {} : { _id: { $gt: decodeCursor(SORT, cursor)[0] as string } };
    const eventTypes = await this.deps.configuration.eventTypes
      .find(
        { ...after, ...(status === undefined ? {} : { status }) },
        { projection: { 'versions.schema': 0 } },
      )
      .sort({ _id: 1 })
      .limit(limit + 1)
      .toArray();
    return toPage(eventTypes, limit, SORT, (eventType) => [eventType._id], summarize);
  }

  private async checkRoom(): Promise<void> {
    if (
      (await this.deps.configuration.eventTypes.estimatedDocumentCount()) < limits.eventTypesMax
    ) {
      return;
    }
    const detail = `there are at most ${limits.eventTypesMax} event types`;
    throw new PosthornError('POSTHORN_LIMIT_EXCEEDED', { detail });
  }
}

/** Its JSON text, as it is stored. @throws PosthornError POSTHORN_SCHEMA_INVALID with pointers below `/schema` */
function checkSchema(schema: Record<string, unknown> | undefined): string | null {
  if (schema === undefined) return null;
  const fields = validateSchema(schema).map(({ pointer, detail }) => ({
    pointer: `/schema${pointer}`,
    detail,
  }));
  const [first] = fields;
  if (first === undefined) return JSON.stringify(schema);
  throw new PosthornError('POSTHORN_SCHEMA_INVALID', {
    detail: `${first.pointer} ${first.detail}`,
    fields,
  });
}

function nextVersions(
  known: EventTypeDocument['versions'],
  schema: string | null,
  now: Date,
): EventTypeDocument['versions'] {
  const newest = known.at(-1);
  if (newest !== undefined && newest.schema === schema) return known;
  if (known.length >= limits.eventTypeVersionsMax) {
    const detail = `an event type has at most ${limits.eventTypeVersionsMax} versions`;
    throw new PosthornError('POSTHORN_LIMIT_EXCEEDED', { detail });
  }
  return [...known, { version: (newest?.version ?? 0) + 1, schema, created_at: now }];
}

function show(eventType: EventTypeDocument): EventTypeResource {
  const versions = eventType.versions.map(({ version, schema, created_at }) => ({
    version,
    schema: schema === null ? null : (JSON.parse(schema) as Record<string, unknown>),
    created_at: created_at.toISOString(),
  }));
  return { ...summarize(eventType), schema: versions.at(-1)?.schema ?? null, versions };
}

function summarize(eventType: EventTypeDocument): EventTypeSummary {
  return {
    name: eventType._id,
    description: eventType.description,
    status: eventType.status,
    sensitive: eventType.sensitive,
    priority: eventType.priority ?? 'normal',
    producer_domain: eventType.producer_domain,
    deduplication: eventType.deduplication ?? null,
    auto: eventType.auto,
    version: eventType.versions.at(-1)?.version ?? 1,
    revision: eventType.revision,
    created_at: eventType.created_at.toISOString(),
    updated_at: eventType.updated_at.toISOString(),
  };
}
