import type { JsonNode, Wanted } from './json-outline.ts';

/**
 * An open container with wanted children. The outermost open containers have frames, or none does.
 */
export interface Frame {
  node: JsonNode;
  wanted: Wanted;
  isObject: boolean;
  /** Its name in the container around it. */
  name: string | undefined;
  /** Children beyond these are not wanted. */
  most: number;
  /** Lengths in bytes of the wanted names; absent if every name is wanted. */
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

/** Whether a name of this length, as written, can be a wanted one. Saves decoding it. */
export function mayBeWanted({ nameLengths }: Frame, bytes: number, hasEscape: boolean): boolean {
  return nameLengths === undefined || hasEscape || nameLengths.has(bytes);
}

/** After the last wanted index, an array has no more children of interest. */
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
