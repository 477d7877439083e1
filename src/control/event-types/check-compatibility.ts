import { type FieldError, PosthornError } from '#domain/errors.ts';
import type { Compatibility } from '#domain/event/event-type.ts';
import { findBreaks } from '#domain/json-schema/compatibility/find-breaks.ts';
import { limits } from '#domain/limits.ts';
import type { EventTypeVersion } from '#infra/mongo/configuration.ts';

type Schema = Record<string, unknown>;

/**
 * Checks that a new version of a schema is compatible with the newest one (CT-4).
 *
 * - `backward`: data of the newest version matches the new one.
 * - `forward`: data of the new version matches the newest one, so receivers need no change.
 * - `full`: both.
 *
 * @param next JSON text; null: any data
 * @throws PosthornError POSTHORN_SCHEMA_INCOMPATIBLE with each break, pointers below `/schema`
 */
export function checkCompatibility(
  compatibility: Compatibility,
  newest: EventTypeVersion,
  next: string | null,
): void {
  if (compatibility === 'none' || newest.schema === next) return;
  const [before, after] = [newest.schema, next].map(parse) as [Schema, Schema];
  const was = `version ${newest.version}`;
  const fields: FieldError[] = [];
  if (compatibility !== 'forward') {
    for (const { pointer, accepts } of findBreaks(before, after)) {
      const detail = `is not backward compatible: ${was} accepts ${accepts}, the new version does not`;
      fields.push({ pointer: `/schema${pointer}`, detail });
    }
  }
  if (compatibility !== 'backward') {
    for (const { pointer, accepts } of findBreaks(after, before)) {
      const detail = `is not forward compatible: the new version accepts ${accepts}, ${was} does not`;
      fields.push({ pointer: `/schema${pointer}`, detail });
    }
  }
  if (fields.length === 0) return;
  throw new PosthornError('POSTHORN_SCHEMA_INCOMPATIBLE', {
    fields: fields.slice(0, limits.fieldErrorsMax),
  });
}

function parse(schema: string | null): Schema {
  return schema === null ? {} : (JSON.parse(schema) as Schema);
}
