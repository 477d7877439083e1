import { limits } from '#domain/limits.ts';

/** Bounds of a JSON text: the cost of `JSON.parse` can grow with each of them. */
export interface JsonBounds {
  /** Levels of arrays and objects. */
  depthMax: number;
  /** Values, including nested ones. */
  valuesMax: number;
  /** Arrays and objects. */
  containersMax: number;
  /** Distinct member names. */
  namesMax: number;
}

/**
 * Bytes of text for each value, container and distinct name, in texts too large for the constants.
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
