/** A walk over the syntax tree of oxc-parser. */

export interface Node {
  type: string;
  start: number;
  [key: string]: unknown;
}

export function walk(node: Node, visit: (node: Node, parent?: Node) => void, parent?: Node): void {
  visit(node, parent);
  for (const value of Object.values(node)) {
    const parts: unknown[] = Array.isArray(value) ? value : [value];
    for (const part of parts) if (isNode(part)) walk(part, visit, node);
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && 'start' in value;
}

/** Gives the line of a position, from 1; positions count UTF-16 units. */
export function lineFinder(code: string): (position: number) => number {
  const starts = [...code.matchAll(/\n/g)].map(({ index }) => index);
  return (position) => {
    let low = 0;
    let high = starts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((starts[middle] as number) < position) low = middle + 1;
      else high = middle;
    }
    return low + 1;
  };
}
