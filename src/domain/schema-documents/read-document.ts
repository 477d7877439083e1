/** Reads event types from OpenAPI 3.1, AsyncAPI 3 and JSON Schema (CT-4). */
import { type FieldError, PosthornError } from '../errors.ts';
import { childPointer } from '../json-pointer.ts';
import { escape, extractSchema, follow, isObject, type Json, resolve } from './move-schema.ts';

export const documentFormats = ['openapi', 'asyncapi', 'json_schema'] as const;
export type DocumentFormat = (typeof documentFormats)[number];

/** An event type as a document describes it. */
export interface DescribedType {
  name: string;
  /** JSON pointer of the description in the document. */
  pointer: string;
  description?: string;
  /** Absent: any data. Unchecked. */
  schema?: unknown;
  samples: unknown[];
  deprecated: boolean;
}

/**
 * Returns the event types of a document, in its order.
 *
 * @throws PosthornError POSTHORN_REQUEST_INVALID with pointers below `/document`
 */
export function readDocument(format: DocumentFormat, document: Json): DescribedType[] {
  const found = readers[format](document);
  if (found.length === 0) refuse('', `has no event types: ${EXPECTED[format]}`);
  const seen = new Set<string>();
  for (const { name, pointer } of found) {
    if (seen.has(name)) refuse(pointer, `describes ${name} a second time`);
    seen.add(name);
  }
  return found;
}

const EXPECTED: Record<DocumentFormat, string> = {
  openapi: 'they are expected in webhooks',
  asyncapi: 'they are expected in the messages of channels or components',
  json_schema: 'they are expected in $defs, by name',
};

const readers: Record<DocumentFormat, (document: Json) => DescribedType[]> = {
  openapi(document) {
    requireVersion(document, 'openapi', /^3\.1\.\d+$/, '3.1');
    const webhooks = isObject(document['webhooks']) ? document['webhooks'] : {};
    return Object.keys(webhooks).map((key) => {
      const at = `#/webhooks/${escape(key)}`;
      const [item] = follow(document, webhooks[key], at);
      const operation = isObject(item) && isObject(item['post']) ? item['post'] : undefined;
      if (operation === undefined) refuse(at.slice(1), 'must have a post operation');
      const [body] = follow(document, operation['requestBody'], `${at}/post/requestBody`);
      const content = isObject(body) && isObject(body['content']) ? body['content'] : {};
      const media = content['application/json'];
      const schema = isObject(media) ? media['schema'] : undefined;
      const place = `${at}/post/requestBody/content/application~1json/schema`;
      const found = described(document, key, place, schema, [operation]);
      const examples = isObject(media) && isObject(media['examples']) ? media['examples'] : {};
      const samples = Object.values(examples).flatMap((one) =>
        isObject(one) && Object.hasOwn(one, 'value')
          ? [dataOf(one['value'], found.isEnvelope)]
          : [],
      );
      return {
        ...found,
        samples,
        pointer: at.slice(1),
        deprecated: operation['deprecated'] === true,
      };
    });
  },
  asyncapi(document) {
    requireVersion(document, 'asyncapi', /^3\.\d+\.\d+$/, '3');
    const places = messagePlaces(document);
    return [...places].map(([at, key]) => {
      const message = resolve(document, at) as Json;
      const name = typeof message['name'] === 'string' ? message['name'] : key;
      const { payload } = message;
      const isWrapped = isObject(payload) && Object.hasOwn(payload, 'schemaFormat');
      const place = isWrapped ? `${at}/payload/schema` : `${at}/payload`;
      const found = described(document, name, place, resolve(document, place), [message]);
      const examples = Array.isArray(message['examples']) ? message['examples'] : [];
      const samples = examples.flatMap((one) =>
        isObject(one) && Object.hasOwn(one, 'payload')
          ? [dataOf(one['payload'], found.isEnvelope)]
          : [],
      );
      const deprecated = message['deprecated'] === true || message['x-deprecated'] === true;
      return { ...found, samples, pointer: at.slice(1), deprecated };
    });
  },
  json_schema(document) {
    const defs = isObject(document['$defs']) ? document['$defs'] : {};
    return Object.keys(defs).map((name) => {
      const at = `#/$defs/${escape(name)}`;
      const schema = defs[name];
      const notes = isObject(schema) ? schema : {};
      const samples = Array.isArray(notes['examples']) ? notes['examples'] : [];
      const found = described(document, name, at, schema, [notes]);
      return { ...found, samples, pointer: at.slice(1), deprecated: notes['deprecated'] === true };
    });
  },
};

/** Messages of channels, else of the components; each place once. */
function messagePlaces(document: Json): Map<string, string> {
  const places = new Map<string, string>();
  const channels = isObject(document['channels']) ? document['channels'] : {};
  for (const [channel, value] of Object.entries(channels)) {
    const messages = isObject(value) && isObject(value['messages']) ? value['messages'] : {};
    for (const [key, message] of Object.entries(messages)) {
      const at = `#/channels/${escape(channel)}/messages/${escape(key)}`;
      const [target, place] = follow(document, message, at);
      if (!isObject(target)) refuse(at.slice(1), 'must be a message');
      if (!places.has(place)) places.set(place, key);
    }
  }
  const { components } = document;
  if (places.size > 0 || !isObject(components) || !isObject(components['messages'])) return places;
  for (const [key, message] of Object.entries(components['messages'])) {
    const at = `#/components/messages/${escape(key)}`;
    if (!isObject(message)) refuse(at.slice(1), 'must be a message');
    places.set(at, key);
  }
  return places;
}

function described(
  document: Json,
  name: string,
  place: string,
  schema: unknown,
  [notes]: [Json],
): Omit<DescribedType, 'pointer' | 'deprecated'> & { isEnvelope: boolean } {
  const text = notes['description'] ?? notes['summary'] ?? notes['title'];
  const [whole, at] = follow(document, schema, place);
  const isEnvelope = isStandardEnvelope(whole);
  const [data, dataAt] = isEnvelope
    ? [whole.properties['data'], `${at}/properties/data`]
    : [whole, at];
  const found = data === undefined ? undefined : extractSchema(document, data, dataAt);
  const isAny = found === true || (isObject(found) && Object.keys(found).length === 0);
  return {
    name,
    isEnvelope,
    ...(typeof text === 'string' && text !== '' ? { description: text } : {}),
    ...(found === undefined || isAny ? {} : { schema: found }),
    samples: [],
  };
}

/** The envelope of Standard Webhooks: `data` is the part that the schema of a type describes. */
function isStandardEnvelope(schema: unknown): schema is Json & { properties: Json } {
  if (!isObject(schema) || !isObject(schema['properties'])) return false;
  const { properties } = schema;
  return ['type', 'timestamp', 'data'].every((name) => Object.hasOwn(properties as object, name));
}

function dataOf(payload: unknown, isEnvelope: boolean): unknown {
  return isEnvelope && isObject(payload) ? payload['data'] : payload;
}

function requireVersion(document: Json, name: string, form: RegExp, version: string): void {
  const given = document[name];
  if (typeof given === 'string' && form.test(given)) return;
  refuse(childPointer('', name), `must be a version ${version}`);
}

function refuse(pointer: string, detail: string): never {
  const fields: FieldError[] = [{ pointer: `/document${pointer}`, detail }];
  throw new PosthornError('POSTHORN_REQUEST_INVALID', { fields });
}
