import { type JsonNode, LEAF, type Wanted } from '#domain/json/json-outline.ts';
import { jsonRefusal } from '#domain/json/json-refusal.ts';
import { scanJson } from '#domain/json/scan-json.ts';
import { limits } from '#domain/limits.ts';

/** The parts to find in a body, by its form: the members of each event. */
export const wantedOfEvent: Wanted = { each: LEAF, most: limits.eventMembersMax };
export const wantedOfCloudEventBatch: Wanted = { each: wantedOfEvent, most: limits.batchEventsMax };
export const wantedOfBatch: Wanted = {
  named: new Map([['events', wantedOfCloudEventBatch]]),
  each: LEAF,
  most: limits.eventMembersMax,
};

/**
 * Validates a body immediately and finds the wanted parts in it.
 *
 * @throws PosthornError POSTHORN_BODY_INVALID, POSTHORN_EVENT_INVALID
 */
export function scan(body: Buffer, wanted?: Wanted): JsonNode {
  try {
    return scanJson(body, wanted);
  } catch (error) {
    throw jsonRefusal(error, 'POSTHORN_EVENT_INVALID');
  }
}
