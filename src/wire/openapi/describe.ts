/**
 * Adds facts to a schema that the OpenAPI document needs beyond JSON Schema: its name, and the
 * answer whose body it describes. Both are stored under symbol keys, so validators, JSON and spread
 * copies ignore them: validation compiles the same objects that the document names.
 */
import type { TSchema } from 'typebox';

const NAME = Symbol('name among components.schemas');
const ANSWER = Symbol('answer');

/** Gives a schema its name in `components.schemas`. Equal copies keep the name. */
export function named<T extends TSchema>(name: string, schema: T, notes: SchemaNotes = {}): T {
  return Object.assign(schema, notes, { [NAME]: name });
}

export interface SchemaNotes {
  description?: string;
  /** Absent: the example is assembled from the examples of the properties. */
  examples?: readonly unknown[];
}

/** Returns the name of a schema; undefined if the document describes it inline. */
export function nameOf(schema: object): string | undefined {
  return (schema as { [NAME]?: string })[NAME];
}

/** Response headers that operations can declare; `reference/headers.ts` describes each. */
export type AnswerHeader =
  | 'accept-encoding'
  | 'allow'
  | 'content-disposition'
  | 'etag'
  | 'idempotency-replayed'
  | 'location'
  | 'ratelimit'
  | 'ratelimit-policy'
  | 'retry-after'
  | 'set-cookie'
  | 'www-authenticate'
  | 'x-request-id';

export interface AnswerFacts {
  description: string;
  headers?: readonly AnswerHeader[];
  /** Absent: `application/json`. */
  mediaType?: string;
}

/** Marks the schema as the body of an answer. Every answer has `x-request-id`; it is not listed. */
export function answer<T extends TSchema>(schema: T, facts: AnswerFacts): T {
  return { ...schema, [ANSWER]: facts };
}

/** Returns the facts of an answer; undefined for a schema that `answer` did not make. */
export function answerFactsOf(schema: object): AnswerFacts | undefined {
  return (schema as { [ANSWER]?: AnswerFacts })[ANSWER];
}
