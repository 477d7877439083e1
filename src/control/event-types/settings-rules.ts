/** Rules for the settings of an event type. */
import { type FieldError, PosthornError } from '#domain/errors.ts';
import { checkFormulaFields } from '#domain/event/deduplication.ts';
import { compileSchema } from '#domain/json-schema/compile-schema.ts';
import type { JsonObject } from '#domain/json-schema/schema-tree.ts';
import { validateSchema } from '#domain/json-schema/validate-schema.ts';
import { limits } from '#domain/limits.ts';
import type { EventTypeDocument } from '#infra/mongo/configuration.ts';
import type { EventTypeChange, EventTypeSettings } from '#wire/api/event-type.ts';

/**
 * Returns the JSON text of the schema, as it is stored. @throws PosthornError
 * POSTHORN_SCHEMA_INVALID with pointers below `/schema`
 */
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

/**
 * Checks the settings beyond the schema of the request.
 *
 * @returns the JSON text of `schema`
 * @throws PosthornError POSTHORN_SCHEMA_INVALID, POSTHORN_REQUEST_INVALID
 */
export function checkSettings({
  schema,
  deduplication,
  deprecation,
}: EventTypeChange): string | null {
  const checked = checkSchema(schema ?? undefined);
  if (deduplication) checkFormulaFields(deduplication.fields, '/deduplication/fields');
  const { deprecated_at: from, ends_at: to } = deprecation ?? {};
  if (from && to && Date.parse(to) < Date.parse(from)) {
    throw new PosthornError('POSTHORN_REQUEST_INVALID', {
      fields: [{ pointer: '/deprecation/ends_at', detail: 'must not be before deprecated_at' }],
    });
  }
  return checked;
}

/**
 * Checks that the samples match the schema.
 *
 * @param schema JSON text; null: any data
 * @throws PosthornError POSTHORN_REQUEST_INVALID with pointers below `/samples`
 */
export function checkSamples(samples: readonly unknown[] | undefined, schema: string | null): void {
  if (samples === undefined || samples.length === 0) return;
  const fields: FieldError[] = [];
  const bytes = Buffer.byteLength(JSON.stringify(samples));
  if (bytes > limits.eventTypeSampleBytesMax) {
    const detail = `has ${bytes} bytes of JSON; ${limits.eventTypeSampleBytesMax} are allowed`;
    fields.push({ pointer: '/samples', detail });
  }
  const validate = schema === null ? undefined : compileSchema(JSON.parse(schema) as JsonObject);
  samples.forEach((sample, index) => {
    for (const { pointer, detail } of validate?.(sample) ?? []) {
      fields.push({ pointer: `/samples/${index}${pointer.slice('/data'.length)}`, detail });
    }
  });
  if (fields.length === 0) return;
  throw new PosthornError('POSTHORN_REQUEST_INVALID', {
    fields: fields.slice(0, limits.fieldErrorsMax),
  });
}

/** Returns the stored form of samples and deprecation. */
export function storedNotes(
  { samples, deprecation }: EventTypeSettings,
  known: EventTypeDocument | null,
  now: Date,
): Pick<EventTypeDocument, 'samples' | 'deprecation'> {
  if (!deprecation) return { samples: JSON.stringify(samples ?? []), deprecation: null };
  const { deprecated_at: from, ends_at: to, successor } = deprecation;
  return {
    samples: JSON.stringify(samples ?? []),
    deprecation: {
      deprecated_at: from ? new Date(from) : (known?.deprecation?.deprecated_at ?? now),
      ends_at: to ? new Date(to) : null,
      successor: successor ?? null,
    },
  };
}

export function nextVersions(
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
