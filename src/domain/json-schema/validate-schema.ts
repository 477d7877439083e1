import { Ajv2020 } from 'ajv/dist/2020.js';
import { type FieldError, isPosthornError } from '#domain/errors.ts';
import { childPointer } from '#domain/json-pointer.ts';
import { limits } from '#domain/limits.ts';
import { checkBranches } from './check-branches.ts';
import { compileSchema } from './compile-schema.ts';
import { describeErrors } from './describe-error.ts';
import { formats } from './keywords/formats.ts';
import { findProtoMember, isDeeperThan } from './json-bounds.ts';
import { compilePattern } from './keywords/pattern.ts';
import { buildSchemaGraph, type SchemaNode } from './schema-graph.ts';
import type { JsonObject } from './schema-tree.ts';

const DIALECT = 'https://json-schema.org/draft/2020-12/schema';

/** Validates schemas by the meta-schema; holds no schema itself, so all callers share it. */
const metaValidator = new Ajv2020({ allErrors: true, strict: false, logger: false });
for (const [name, format] of Object.entries(formats)) metaValidator.addFormat(name, format);
// `checkPatterns` gives better messages.
metaValidator.addFormat('regex', true);

/**
 * Returns the faults of an event type's JSON Schema (CT-4); none if `compileSchema` accepts it. It
 * must be valid 2020-12, refer only to itself, and stay within `limits.schema…`; RE2 must support
 * its patterns. Unknown keywords are annotations, except those of older drafts, which would be
 * ignored silently.
 *
 * @param value any value from the caller; pointers are relative to it
 */
export function validateSchema(value: unknown): FieldError[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return [{ pointer: '', detail: 'must be an object: a JSON Schema (2020-12)' }];
  }
  const schema = value as JsonObject;
  for (const check of [checkSize, checkDialect, checkByMetaSchema, checkMeaning]) {
    const errors = check(schema);
    if (errors.length > 0) return errors.slice(0, limits.fieldErrorsMax);
  }
  return [];
}

function checkSize(schema: JsonObject): FieldError[] {
  if (isDeeperThan(schema, limits.schemaDepthMax)) {
    const detail = `is nested too deep; ${limits.schemaDepthMax} levels are allowed`;
    return [{ pointer: '', detail }];
  }
  const bytes = Buffer.byteLength(JSON.stringify(schema));
  if (bytes > limits.schemaBytesMax) {
    const detail = `has ${bytes} bytes of JSON; ${limits.schemaBytesMax} are allowed`;
    return [{ pointer: '', detail }];
  }
  const error = findProtoMember(schema);
  return error === undefined ? [] : [error];
}

function checkDialect(schema: JsonObject): FieldError[] {
  const { $schema } = schema;
  if ($schema === undefined || $schema === DIALECT || $schema === `${DIALECT}#`) return [];
  return [{ pointer: '/$schema', detail: `must be absent or "${DIALECT}"` }];
}

function checkByMetaSchema(schema: JsonObject): FieldError[] {
  if (metaValidator.validate(DIALECT, schema)) return [];
  return describeErrors(metaValidator.errors ?? [], '');
}

function checkMeaning(schema: JsonObject): FieldError[] {
  const graph = buildSchemaGraph(schema);
  const errors = [...graph.errors, ...checkBranches(graph)];
  for (const node of graph.nodes) {
    if (errors.length >= limits.fieldErrorsMax) return errors;
    errors.push(...checkPatterns(node));
  }
  return errors.length > 0 ? errors : tryToCompile(schema);
}

function checkPatterns(node: SchemaNode): FieldError[] {
  if (typeof node.schema === 'boolean') return [];
  const { pattern, patternProperties } = node.schema;
  const patterns: [pointer: string, pattern: string][] = [];
  if (typeof pattern === 'string') patterns.push([childPointer(node.pointer, 'pattern'), pattern]);
  const parent = childPointer(node.pointer, 'patternProperties');
  for (const key of Object.keys(patternProperties ?? {})) {
    patterns.push([childPointer(parent, key), key]);
  }
  return patterns.flatMap(([pointer, pattern]) => {
    try {
      compilePattern(pattern);
      return [];
    } catch (error) {
      const detail = `is not a regular expression of RE2: ${(error as Error).message}`;
      return [{ pointer, detail }];
    }
  });
}

function tryToCompile(schema: JsonObject): FieldError[] {
  try {
    compileSchema(schema);
    return [];
  } catch (error) {
    if (!isPosthornError(error)) throw error;
    return error.fields.length > 0 ? error.fields : [{ pointer: '', detail: error.message }];
  }
}
