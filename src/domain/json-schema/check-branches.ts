import type { FieldError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import type { SchemaGraph, SchemaNode } from './schema-graph.ts';

/**
 * Returns where a schema would recurse forever or branch too often at one place of the data:
 * `{"$ref": "#"}`, or definitions that each contain the next one twice.
 */
export function checkBranches(graph: SchemaGraph): FieldError[] {
  const errors: FieldError[] = [];
  const counts = new Map<SchemaNode, number>();
  const open = new Set<SchemaNode>();

  const count = (node: SchemaNode): number => {
    const known = counts.get(node);
    if (known !== undefined) return known;
    open.add(node);
    let sum = 1;
    for (const child of node.children) {
      if (child.applies === 'here') sum += count(child.node);
    }
    for (const { pointer, target } of node.references) {
      if (open.has(target)) {
        errors.push({ pointer, detail: 'leads back to itself without going deeper into the data' });
      } else {
        sum += count(target);
      }
    }
    open.delete(node);
    counts.set(node, sum);
    return sum;
  };

  for (const node of graph.nodes) {
    if (count(node) <= limits.schemaBranchesMax) continue;
    const detail =
      `applies ${count(node)} schemas to one place of the data, references followed; ` +
      `${limits.schemaBranchesMax} are allowed`;
    errors.push({ pointer: node.pointer, detail });
    break;
  }
  return errors;
}
