/** Converts event types to their form in the API. */
import { fromStoredStatus } from '#domain/stored-status.ts';
import type { EventTypeDocument } from '#infra/mongo/configuration.ts';
import type {
  EventTypeChange,
  EventTypeResource,
  EventTypeSettings,
  EventTypeSummary,
} from '#wire/api/event-type.ts';
import type { AutomaticType } from './automatic-types.ts';

/**
 * Returns an automatic type in the form of a registered one, as `PUT` without settings would create
 * it.
 */
export function asDocument({ name, firstSeenAt }: AutomaticType): EventTypeDocument {
  return {
    _id: name,
    description: null,
    status: 'ACTIVE',
    sensitive: false,
    producer_domain: null,
    auto: true,
    versions: [{ version: 1, schema: null, created_at: firstSeenAt }],
    revision: 1,
    created_at: firstSeenAt,
    updated_at: firstSeenAt,
  };
}

/** Returns the event type with its schemas. */
export function toResource(eventType: EventTypeDocument): EventTypeResource {
  const versions = eventType.versions.map(({ version, schema, created_at }) => ({
    version,
    schema: schema === null ? null : (JSON.parse(schema) as Record<string, unknown>),
    created_at: created_at.toISOString(),
  }));
  return {
    ...summarize(eventType),
    schema: versions.at(-1)?.schema ?? null,
    samples: samplesOf(eventType),
    versions,
  };
}

/** The samples of the data of an event type. */
export function samplesOf({ samples }: Pick<EventTypeDocument, 'samples'>): unknown[] {
  return samples === undefined ? [] : (JSON.parse(samples) as unknown[]);
}

function toDeprecation({ deprecation }: EventTypeDocument): EventTypeSummary['deprecation'] {
  if (!deprecation) return null;
  const { deprecated_at: from, ends_at: to, successor } = deprecation;
  return { deprecated_at: from.toISOString(), ends_at: to?.toISOString() ?? null, successor };
}

/** Returns the event type without its schemas. */
export function summarize(eventType: EventTypeDocument): EventTypeSummary {
  return {
    name: eventType._id,
    description: eventType.description,
    status: fromStoredStatus(eventType.status),
    sensitive: eventType.sensitive,
    priority: eventType.priority ?? 'normal',
    producer_domain: eventType.producer_domain,
    compatibility: eventType.compatibility ?? 'none',
    deduplication: eventType.deduplication ?? null,
    deprecation: toDeprecation(eventType),
    auto: eventType.auto,
    version: eventType.versions.at(-1)?.version ?? 1,
    revision: eventType.revision,
    created_at: eventType.created_at.toISOString(),
    updated_at: eventType.updated_at.toISOString(),
  };
}

/** Returns the settings after a change, as a `PUT` would send them, but for the schema. */
export function changedSettings(
  known: EventTypeDocument,
  change: EventTypeChange,
): EventTypeSettings {
  const settings = {
    description: known.description,
    status: fromStoredStatus(known.status),
    sensitive: known.sensitive,
    priority: known.priority ?? 'normal',
    producer_domain: known.producer_domain,
    compatibility: known.compatibility ?? 'none',
    deduplication: known.deduplication ?? null,
    samples: samplesOf(known),
    deprecation: toDeprecation(known),
    ...change,
  };
  const given = Object.entries(settings).filter(([, value]) => value !== null);
  return Object.fromEntries(given);
}
