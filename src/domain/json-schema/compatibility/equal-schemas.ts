import { hasUniqueItems } from '../keywords/equal-values.ts';
import { plainKeywords } from '../keywords.ts';
import type { SchemaChild, SchemaNode } from '../schema-graph.ts';
import { keywordOf } from './flat-schemas.ts';

/**
 * Compares subschemas of two documents: they are equal if their keywords are, in any order, and
 * what their references lead to. Annotations and names of definitions do not count.
 */
export class EqualSchemas {
  private readonly take: () => void;
  /** Pairs that are being compared: recursive schemas are equal unless a difference is found. */
  private readonly open = new Map<SchemaNode, Set<SchemaNode>>();

  /** @param take called for each pair; may throw to stop */
  constructor(take: () => void) {
    this.take = take;
  }

  areEqual(one: SchemaNode, other: SchemaNode): boolean {
    this.take();
    if (typeof one.schema === 'boolean' || typeof other.schema === 'boolean') {
      return one.schema === other.schema;
    }
    const opened = this.open.get(one) ?? new Set();
    if (opened.has(other)) return true;
    this.open.set(one, opened.add(other));
    const isEqual =
      plainKeywords.every((keyword) => this.haveEqual(one, other, keyword)) &&
      this.childrenEqual(applied(one), applied(other)) &&
      one.references.length === other.references.length &&
      one.references.every(({ target }, index) => {
        const counterpart = other.references[index];
        return counterpart !== undefined && this.areEqual(target, counterpart.target);
      });
    opened.delete(other);
    return isEqual;
  }

  /** Whether both have equal subschemas for the keywords; also if both have none. */
  areEqualAt(one: SchemaNode, other: SchemaNode, keywords: readonly string[]): boolean {
    const of = (node: SchemaNode): SchemaChild[] =>
      node.children.filter(({ keyword }) => keywords.includes(keyword));
    return this.childrenEqual(of(one), of(other));
  }

  /** Whether both have equal values for a keyword; also if both have none. */
  haveEqual(one: SchemaNode, other: SchemaNode, keyword: string): boolean {
    const [a, b] = [keywordOf(one, keyword), keywordOf(other, keyword)];
    // Equal values are not unique.
    return a === b || !hasUniqueItems([a, b], this.take);
  }

  private childrenEqual(ones: SchemaChild[], others: SchemaChild[]): boolean {
    if (ones.length !== others.length) return false;
    const byPlace = new Map(others.map((child) => [placeOf(child), child.node]));
    return ones.every((child) => {
      const other = byPlace.get(placeOf(child));
      return other !== undefined && this.areEqual(child.node, other);
    });
  }
}

/** Subschemas that constrain data, unlike definitions. */
function applied(node: SchemaNode): SchemaChild[] {
  return node.children.filter(({ applies }) => applies !== 'nowhere');
}

function placeOf({ keyword, key }: SchemaChild): string {
  return JSON.stringify([keyword, key]);
}
