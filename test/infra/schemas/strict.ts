export type JsonObject = Record<string, unknown>;

const intOrString = { type: ['integer', 'string'] };
const quantity = { type: ['number', 'string'] };

/** Definitions that are described in prose and not in the OpenAPI. */
const BY_HAND: Record<string, JsonObject> = {
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': intOrString,
  'io.k8s.apimachinery.pkg.api.resource.Quantity': quantity,
};

const REF = '#/definitions/';

/**
 * Makes a self-contained schema that rejects unknown fields, from one of an OpenAPI document or
 * CRD. It also rejects null: the API server drops such fields, so Git and the cluster would differ.
 */
export function strict(schema: JsonObject, all: Record<string, JsonObject>): JsonObject {
  const definitions: Record<string, JsonObject> = {};
  const open = [schema];
  const out = { ...close(schema), definitions };
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const name of namesIn(next)) {
      if (name in definitions) continue;
      const target = all[name];
      if (target === undefined) throw new Error(`there is no definition ${name}`);
      definitions[name] = BY_HAND[name] ?? close(target);
      if (!(name in BY_HAND)) open.push(target);
    }
  }
  return { $schema: 'http://json-schema.org/draft-07/schema#', ...out };
}

function namesIn(value: unknown): string[] {
  const names = JSON.stringify(value).matchAll(/"\$ref":"#\/definitions\/([^"]+)"/g);
  return [...names].map(([, name]) => name as string);
}

/** Closes whole objects. The value of `properties` is a map of schemas, not a schema. */
function close(schema: JsonObject, root = true): JsonObject {
  if (schema['x-kubernetes-int-or-string'] === true) return intOrString;
  const ref = schema['$ref'];
  if (typeof ref === 'string') return { $ref: ref.startsWith(REF) ? ref : `${REF}${ref}` };
  const out: JsonObject = {};
  for (const key of ['type', 'enum', 'required', 'pattern', 'minimum', 'maximum'] as const) {
    if (schema[key] !== undefined) out[key] = schema[key];
  }
  for (const key of ['minLength', 'maxLength', 'minItems', 'maxItems'] as const) {
    if (schema[key] !== undefined) out[key] = schema[key];
  }
  const { properties, items, additionalProperties } = schema;
  if (isObject(items)) out['items'] = close(items, false);
  if (isObject(additionalProperties)) {
    out['additionalProperties'] = close(additionalProperties, false);
  }
  if (isObject(properties)) {
    const closed = Object.entries(properties).map(([name, of]) => [
      name,
      close(of as JsonObject, false),
    ]);
    out['properties'] = Object.fromEntries(closed) as JsonObject;
    const free = schema['x-kubernetes-preserve-unknown-fields'] === true;
    if (additionalProperties === undefined && !free) out['additionalProperties'] = false;
    if (root) openRoot(out['properties'] as JsonObject);
  }
  return out;
}

/** A CRD describes its metadata only as an object. */
function openRoot(properties: JsonObject): void {
  const metadata = properties['metadata'];
  if (isObject(metadata) && metadata['$ref'] === undefined) {
    properties['metadata'] = {
      type: 'object',
      required: ['name'],
      properties: {
        name: { type: 'string' },
        namespace: { type: 'string' },
        labels: { type: 'object', additionalProperties: { type: 'string' } },
        annotations: { type: 'object', additionalProperties: { type: 'string' } },
        finalizers: { type: 'array', items: { type: 'string' } },
      },
      additionalProperties: false,
    };
  }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
