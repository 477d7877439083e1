/** Plans the changes of an import to each event type (CT-4). */
import type { FieldError } from '#domain/errors.ts';
import { isEventTypeName, isOperationalType } from '#domain/event/event-type.ts';
import { isPosthornError } from '#domain/errors.ts';
import { hasUniqueItems } from '#domain/json-schema/keywords/equal-values.ts';
import { validateSchema } from '#domain/json-schema/validate-schema.ts';
import type { DescribedType } from '#domain/schema-documents/read-document.ts';
import type { EventTypeDocument } from '#infra/mongo/configuration.ts';
import type { EventTypeSettings } from '#wire/api/event-type.ts';
import type { EventTypeImportItem } from '#wire/api/event-types/imports.ts';
import { checkCompatibility } from '../event-types/check-compatibility.ts';
import { samplesOf } from '../event-types/event-type-resource.ts';
import { checkSamples } from '../event-types/settings-rules.ts';

type Schema = Record<string, unknown>;

/** An item with the settings that applying it writes. */
export interface PlannedItem extends Omit<EventTypeImportItem, 'result'> {
  settings: Pick<EventTypeSettings, 'description' | 'schema' | 'samples' | 'deprecation'>;
  /** Revision of the event type that was compared; null: there was none. */
  revision: number | null;
}

/** @param known the registered type of this name */
export function planItem(
  described: DescribedType,
  known: EventTypeDocument | undefined,
): PlannedItem {
  const { name } = described;
  const schema = withoutNotes(described.schema);
  const settings = settingsOf(described, schema as Schema | undefined, known);
  const errors = faultsOf(described, schema, known);
  const isSame = known !== undefined && errors.length === 0 && matches(settings, known);
  const before = known?.versions.at(-1)?.schema ?? null;
  return {
    event_type: name,
    action:
      errors.length > 0
        ? 'refuse'
        : known === undefined
          ? 'create'
          : isSame
            ? 'unchanged'
            : 'update',
    creates_version:
      errors.length === 0 &&
      !isEqual(schema, before === null ? undefined : withoutNotes(JSON.parse(before))),
    errors,
    settings,
    revision: known?.revision ?? null,
  };
}

/** Whether the event type has the settings of the item already. */
export function matches(settings: PlannedItem['settings'], known: EventTypeDocument): boolean {
  const stored = known.versions.at(-1)?.schema ?? null;
  return (
    (settings.description === undefined || settings.description === known.description) &&
    isEqual(settings.schema, stored === null ? undefined : withoutNotes(JSON.parse(stored))) &&
    isEqual(settings.samples ?? samplesOf(known), samplesOf(known)) &&
    (settings.deprecation === undefined || Boolean(known.deprecation))
  );
}

function settingsOf(
  { description, samples, deprecated }: DescribedType,
  schema: Schema | undefined,
  known: EventTypeDocument | undefined,
): PlannedItem['settings'] {
  return {
    ...(description === undefined ? {} : { description }),
    ...(schema === undefined ? {} : { schema }),
    ...(samples.length === 0 ? {} : { samples }),
    ...(deprecated && !known?.deprecation ? { deprecation: {} } : {}),
  };
}

function faultsOf(
  { name, samples, description = '' }: DescribedType,
  schema: unknown,
  known: EventTypeDocument | undefined,
): FieldError[] {
  if (!isEventTypeName(name)) return [{ pointer: '', detail: 'must be the name of an event type' }];
  if (isOperationalType(name)) {
    return [
      { pointer: '', detail: 'begins with "posthorn.": those are the events of the platform' },
    ];
  }
  if (description.length > DESCRIPTION_LENGTH_MAX) {
    const detail = `must have at most ${DESCRIPTION_LENGTH_MAX} characters`;
    return [{ pointer: '/description', detail }];
  }
  const faults = schema === undefined ? [] : validateSchema(schema);
  if (faults.length > 0) {
    return faults.map(({ pointer, detail }) => ({ pointer: `/schema${pointer}`, detail }));
  }
  if (samples.length > SAMPLES_MAX) {
    return [{ pointer: '/samples', detail: `must have at most ${SAMPLES_MAX} samples` }];
  }
  const text = schema === undefined ? null : JSON.stringify(schema);
  return caught(() => {
    checkSamples(samples, text);
    const newest = known?.versions.at(-1);
    if (newest) checkCompatibility(known?.compatibility ?? 'none', newest, text);
  });
}

const DESCRIPTION_LENGTH_MAX = 2000;
const SAMPLES_MAX = 5;

function caught(check: () => void): FieldError[] {
  try {
    check();
    return [];
  } catch (error) {
    if (!isPosthornError(error)) throw error;
    return error.fields;
  }
}

/** Removes the notes that some documents have inside the schema. */
function withoutNotes(schema: unknown): unknown {
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) return schema;
  const notes = new Set(['$schema', 'description', 'examples', 'deprecated']);
  return Object.fromEntries(Object.entries(schema).filter(([key]) => !notes.has(key)));
}

/** Equal as JSON, in any order of members. */
function isEqual(one: unknown, other: unknown): boolean {
  return !hasUniqueItems([one, other], () => undefined);
}
