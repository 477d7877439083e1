import type { JsonNode, Wanted } from './json-outline.ts';

/**
 * An open container whose children are wanted. The outermost open containers are such, or none is.
 */
export interface Frame {
  node: JsonNode;
  wanted: Wanted;
  isObject: boolean;
  /** Its name in the container around it. */
  name: string | undefined;
  /** Children beyond these are not wanted. */
  most: number;
  /** Bytes of the names that are wanted; absent where every name is. */
  nameLengths: ReadonlySet<number> | undefined;
}

export function newFrame(
  node: JsonNode,
  wanted: Wanted,
  isObject: boolean,
  name: string | undefined,
): Frame {
  const { each, named } = wanted;
  const isAnyWanted = each !== undefined || named === undefined;
  const nameLengths = isAnyWanted ? undefined : new Set([...named.keys()].map(byteLength));
  return { node, wanted, isObject, name, most: mostWanted(wanted, isObject), nameLengths };
}

/**
 * Whether a name of this length, as it is written, can be one that is wanted. Saves decoding it.
 */
export function mayBeWanted({ nameLengths }: Frame, bytes: number, hasEscape: boolean): boolean {
  return nameLengths === undefined || hasEscape || nameLengths.has(bytes);
}

/** After the last index that is wanted, an array has no more children of interest. */
function mostWanted(
  { each, named, most = Number.POSITIVE_INFINITY }: Wanted,
  isObject: boolean,
): number {
  if (isObject || each !== undefined || named === undefined) return most;
  const indices = [...named.keys()].map(Number).filter(Number.isSafeInteger);
  return Math.min(most, Math.max(-1, ...indices) + 1);
}

function byteLength(text: string): number {
  return Buffer.byteLength(text);
}
