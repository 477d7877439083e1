import type { FieldError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import { type Span, depthOf } from './json-text.ts';

/** A JSON object in a text: its value, and where its members stand. */
export interface JsonObject {
  text: string;
  value: Record<string, unknown>;
  members: Map<string, Span>;
  /** JSON pointer of the object, with the slash after it. */
  at: string;
}

/** The text of `data`, as it was sent; `null` where there is none. */
export function jsonData(object: JsonObject, faults: FieldError[]): string {
  const span = object.members.get('data');
  if (span === undefined) return 'null';
  if (depthOf(object.text, span) > limits.dataDepthMax) {
    const detail = `must not be nested deeper than ${limits.dataDepthMax}`;
    faults.push({ pointer: `${object.at}data`, detail });
  }
  return object.text.slice(span.start, span.end);
}
