import type { TObject, TSchema } from 'typebox';
import { problem } from '#wire/api/problem.ts';
import type { AnswerHeader } from '#wire/openapi/describe.ts';
import { type Components, type Json, factsOf } from './components.ts';
import {
  errorAnswers,
  errorStatusesOf,
  hasBody,
  headerReferences,
  problemContent,
} from './error-answers.ts';
import { exampleOf } from './examples.ts';
import { contentEncoding } from './headers.ts';
import type { RouteSchema } from './route-schema.ts';

/** Builds the Operation Object of a route. */
export function describeOperation(route: RouteSchema, components: Components): Json {
  const { operationId, summary, description, tags, security } = route;
  const parameters = [
    ...describeParameters('path', route.params, components),
    ...describeParameters('query', route.querystring, components),
    ...describeParameters('header', route.headers, components),
    ...(hasBody(route) ? [contentEncoding] : []),
  ];
  return {
    operationId,
    summary,
    ...(description === undefined ? {} : { description }),
    tags,
    ...(security === undefined ? {} : { security }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(hasBody(route) ? { requestBody: describeBody(route, components) } : {}),
    responses: describeResponses(route, components),
  };
}

/**
 * Describes the parameters. A parameter with a default is optional for callers, although the
 * handler always has a value.
 */
export function describeParameters(
  place: 'path' | 'query' | 'header',
  schema: TObject | undefined,
  components: Components,
): Json[] {
  if (schema === undefined) return [];
  const required = new Set(schema.required);
  return Object.entries(schema.properties).map(([name, property]) => {
    const { description, ...rest } = components.refer(property);
    const isRequired = required.has(name) && !('default' in property);
    return {
      name,
      in: place,
      required: isRequired,
      ...(description === undefined ? {} : { description }),
      schema: rest,
      example: exampleOf(property),
    };
  });
}

/** Builds the Request Body Object. A body that may be null may be absent, and is described so. */
export function describeBody(
  { body, bodies }: Pick<RouteSchema, 'body' | 'bodies'>,
  components: Components,
): Json {
  const given = body === undefined ? undefined : withoutNull(body);
  const schemas = bodies ?? { 'application/json': given as TSchema };
  const content = Object.entries(schemas).map(([mediaType, schema]) => [
    mediaType,
    mediaOf(schema, components),
  ]);
  return { required: given === body, content: Object.fromEntries(content) as object };
}

/** Returns the other branch of a union of one schema and null; else the schema itself. */
function withoutNull(schema: TSchema): TSchema {
  const { anyOf = [] } = schema as { anyOf?: TSchema[] };
  const others = anyOf.filter((each) => (each as { type?: string }).type !== 'null');
  const [other] = others;
  return other !== undefined && others.length === 1 && anyOf.length === 2 ? other : schema;
}

function mediaOf(schema: TSchema, components: Components): Json {
  return { schema: components.refer(schema), example: exampleOf(schema) };
}

function describeResponses(route: RouteSchema, components: Components): Json {
  const responses: Json = {};
  for (const status of statusesOf(route)) {
    const schema = route.response[status];
    const error = errorAnswers[Number(status)];
    if (schema === undefined || schema === problem) {
      responses[status] = { $ref: `#/components/responses/${error?.name}` };
      continue;
    }
    const described = describeAnswer(schema, components, commonHeaders(route));
    responses[status] = described;
    // The answer is either this one or a problem: the media type distinguishes them.
    if (error !== undefined) {
      const content = problemContent(components.refer(problem), Number(status));
      Object.assign(described['content'] as Json, content);
    }
  }
  return responses;
}

/**
 * Returns the statuses in ascending order; `4xx` and `5xx` represent the statuses that are derived
 * from the route.
 */
function statusesOf(route: RouteSchema): string[] {
  const given = Object.keys(route.response);
  const stated = given.filter((status) => !status.endsWith('xx'));
  const implied = given.length > stated.length ? errorStatusesOf(route).map(String) : [];
  return [...new Set([...stated, ...implied])].toSorted();
}

/** Returns the headers of every success of a route that supports `Idempotency-Key`. */
function commonHeaders({ headers }: RouteSchema): AnswerHeader[] {
  const isRepeatable = Object.hasOwn(headers?.properties ?? {}, 'idempotency-key');
  return isRepeatable ? ['idempotency-replayed'] : [];
}

function describeAnswer(
  schema: TSchema,
  components: Components,
  common: readonly AnswerHeader[],
): Json {
  const { description, headers, mediaType } = factsOf(schema);
  const facts = { description, headers: headerReferences([...headers, ...common]) };
  if ((schema as { type?: string }).type === 'null') return facts;
  return { ...facts, content: { [mediaType]: mediaOf(schema, components) } };
}
