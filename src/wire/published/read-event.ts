import type { FieldError } from '#domain/errors.ts';
import { duplicateMember } from '#domain/json/duplicate-member.ts';
import type { JsonNode } from '#domain/json/json-outline.ts';
import { unknownField } from '#domain/field-faults.ts';
import { limits } from '#domain/limits.ts';
import { readCloudEvent } from './cloudevent.ts';
import { type EventInput, checkAttributes, checkPriority, refuse } from './event-input.ts';
import { type JsonObject, attributeValues, jsonData } from './json-object.ts';

const OPEN_BRACE = 123;

/**
 * The object at a place in a body.
 *
 * @param at JSON pointer of the object, with the slash after it
 * @throws PosthornError POSTHORN_EVENT_INVALID for anything else, and for one with a repeated name
 */
export function objectAt(bytes: Buffer, node: JsonNode, at: string): JsonObject {
  const pointer = at.slice(0, -1);
  if (bytes[node.start] !== OPEN_BRACE) refuse([{ pointer, detail: 'must be an object' }]);
  const duplicate = duplicateMember(node, pointer);
  if (duplicate !== undefined) refuse([duplicate]);
  if (node.count > limits.eventMembersMax) {
    refuse([{ pointer, detail: `has more than ${limits.eventMembersMax} members` }]);
  }
  return { bytes, members: node.children, at };
}

/**
 * Reads one event in a JSON body: the plain form `{type, data, id?, …}`, or a CloudEvent if it has
 * `specversion`. Ingress reads published events with it, and the dry run its samples.
 *
 * @param node of the event, with its members (`wantedOfEvent`)
 * @param at JSON pointer of the event, with the slash after it
 * @throws PosthornError POSTHORN_EVENT_INVALID
 */
export function readEvent(bytes: Buffer, node: JsonNode, at: string): EventInput {
  const object = objectAt(bytes, node, at);
  if (object.members.has('specversion')) return readCloudEvent(object);
  return readPlainEvent(object);
}

const PLAIN_FIELDS = new Set([
  'id',
  'type',
  'source',
  'time',
  'subject',
  'dataschema',
  'priority',
  'data',
]);

function readPlainEvent(object: JsonObject): EventInput {
  const faults: FieldError[] = [];
  for (const name of object.members.keys()) {
    if (!PLAIN_FIELDS.has(name)) {
      faults.push(unknownField(object.at.slice(0, -1), name));
    }
  }
  const values = attributeValues(object);
  const attributes = checkAttributes(values, object.at, faults);
  const priority = checkPriority(values['priority'], `${object.at}priority`, faults);
  const data = jsonData(object, faults);
  refuse(faults);
  return { ...attributes, ...priority, ...data };
}
