import { limits } from '#domain/limits.ts';

/**
 * What a JSON text may hold. What `JSON.parse` of such a text may cost grows with each of these.
 */
export interface JsonBounds {
  /** Levels of arrays and objects. */
  depthMax: number;
  /** Values, those inside others included. */
  valuesMax: number;
  /** Arrays and objects. */
  containersMax: number;
  /** Different names of members. */
  namesMax: number;
}

/**
 * Bytes for each value, container and different name of a text that is larger than the constants
 * allow for.
 */
const BYTES_EACH = { value: 8, container: 16, name: 128 };

/**
 * The bounds for a text of this length. They are constants up to 4 MiB, and grow with larger texts.
 */
export function jsonBounds(length: number): JsonBounds {
  return {
    depthMax: limits.jsonDepthMax,
    valuesMax: Math.max(limits.jsonValuesMax, Math.floor(length / BYTES_EACH.value)),
    containersMax: Math.max(limits.jsonContainersMax, Math.floor(length / BYTES_EACH.container)),
    namesMax: Math.max(limits.jsonNamesMax, Math.floor(length / BYTES_EACH.name)),
  };
}
