/**
 * The parts of a JSON text that a reader wants, and their positions. Everything below these parts
 * is validated and skipped.
 */

/** What to record below a value. */
export interface Wanted {
  /** For each child without a name in `named`. Absent: skipped. */
  each?: Wanted;
  /** For the children with these names; elements of an array are named by their index. */
  named?: ReadonlyMap<string, Wanted>;
  /** Record no more children. */
  most?: number;
}

/** A value of which only the position is wanted. */
export const LEAF: Wanted = {};

/** A value in a JSON text. Positions count bytes. */
export interface JsonNode {
  start: number;
  /** After the last byte. */
  end: number;
  /**
   * Levels of arrays and objects in it, if its children are not wanted: 0 for a scalar, 1 for `[]`.
   */
  depth: number;
  /** Recorded children by name or index, in order; the first of a repeated name. */
  children: ReadonlyMap<string, JsonNode> & Pick<Map<string, JsonNode>, 'set'>;
  /** Number of children, recorded or not; one more than `most` if there are more. */
  count: number;
  /** The first name that occurs twice among the recorded children. */
  repeated: string | undefined;
  /** Of the root: number of members in the whole text, repeated ones too. */
  members: number;
}

export function newNode(start: number): JsonNode {
  return {
    start,
    end: start,
    depth: 0,
    children: new Map(),
    count: 0,
    repeated: undefined,
    members: 0,
  };
}
