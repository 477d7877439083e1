import { childPointer } from '#domain/json-pointer.ts';
import { type BoundedRegex, newRegexBudget } from '../../bounds/bounded-regex.ts';
import { compilePattern } from '../keywords/pattern.ts';
import type { SchemaChild, SchemaNode } from '../schema-graph.ts';
import { EqualSchemas } from './equal-schemas.ts';
import {
  type Conjunction,
  childrenOf,
  flatten,
  keywordOf,
  kindsOf,
  prefixLength,
  propertyNames,
  restKeyword,
  schemasOfItem,
  schemasOfOthers,
  schemasOfProperty,
} from './flat-schemas.ts';
import { scalarRules, show } from './scalar-rules.ts';
import { areDisjoint } from './disjoint.ts';

/** Data that one schema accepts and another may not. */
export interface SchemaBreak {
  /** Place in the schemas, as a JSON pointer through keywords; references are followed. */
  pointer: string;
  /** The accepted data, for example `null` or `data without "amount"`. */
  accepts: string;
}

/** The comparison exceeds its steps. */
export class TooComplex extends Error {}

/** Keywords that are compared as wholes: an equal one must be on the other side. */
const wholes: readonly {
  keywords: readonly string[];
  plain: readonly string[];
  kind?: 'object' | 'array';
}[] = [
  { keywords: ['not'], plain: [] },
  { keywords: ['if', 'then', 'else'], plain: [] },
  { keywords: ['contains'], plain: ['minContains', 'maxContains'], kind: 'array' },
  { keywords: ['propertyNames'], plain: [], kind: 'object' },
  { keywords: ['dependentSchemas'], plain: [], kind: 'object' },
  { keywords: [], plain: ['dependentRequired'], kind: 'object' },
];

/** Decides whether every value that some schemas accept is accepted by others. */
export class Inclusion {
  private stepsLeft: number;
  private readonly equal: EqualSchemas;
  private readonly patterns = new Map<string, BoundedRegex>();
  private readonly ids = new Map<SchemaNode, number>();
  /** Comparisons in progress: a recursive schema is included unless a break is found. */
  private readonly open = new Set<string>();

  constructor(steps: number) {
    this.stepsLeft = steps;
    this.equal = new EqualSchemas(() => this.take(1));
  }

  /**
   * @param accepted,required flattened
   * @throws TooComplex
   */
  check(accepted: Conjunction, required: Conjunction, pointer: string): SchemaBreak[] {
    this.take(accepted.length + required.length + 1);
    if (required.length === 0 || kindsOf(accepted).size === 0) return [];
    const key = `${this.idOf(accepted)}|${this.idOf(required)}`;
    if (this.open.has(key)) return [];
    this.open.add(key);
    try {
      return this.checkAll(accepted, required, pointer);
    } finally {
      this.open.delete(key);
    }
  }

  private checkAll(accepted: Conjunction, required: Conjunction, pointer: string): SchemaBreak[] {
    const breaks = required.flatMap((node) => this.checkOne(accepted, node, pointer));
    if (breaks.length === 0) return [];
    // What the branches of the accepted side have in common did not suffice: compare each branch.
    const split = accepted.find((node) => branchesOf(node).length > 0);
    if (split === undefined) return breaks;
    const rest = accepted.filter((node) => node !== split);
    return branchesOf(split).flatMap((branch) =>
      this.check([...rest, withoutBranches(split), ...flatten(branch)], required, pointer),
    );
  }

  /** Compares with one schema, whose `allOf` and references were flattened. */
  private checkOne(accepted: Conjunction, node: SchemaNode, pointer: string): SchemaBreak[] {
    if (node.schema === false) return [{ pointer, accepts: 'some data' }];
    const breaks: SchemaBreak[] = [];
    for (const [keyword, rule] of Object.entries(scalarRules)) {
      this.take(1);
      const accepts = rule(accepted, node);
      if (accepts !== undefined) breaks.push({ pointer: childPointer(pointer, keyword), accepts });
    }
    breaks.push(...this.checkWholes(accepted, node, pointer));
    breaks.push(...this.checkAnyOf(accepted, node, pointer));
    breaks.push(...this.checkOneOf(accepted, node, pointer));
    const kinds = kindsOf(accepted);
    if (kinds.has('object')) breaks.push(...this.checkObject(accepted, node, pointer));
    if (kinds.has('array')) breaks.push(...this.checkArray(accepted, node, pointer));
    return breaks;
  }

  private checkWholes(accepted: Conjunction, node: SchemaNode, pointer: string): SchemaBreak[] {
    const kinds = kindsOf(accepted);
    return wholes.flatMap(({ keywords, plain, kind }) => {
      const [present] = [...keywords, ...plain].filter(
        (name) => keywordOf(node, name) !== undefined,
      );
      if (present === undefined || (kind !== undefined && !kinds.has(kind))) return [];
      const isKnown = accepted.some(
        (known) =>
          this.equal.areEqualAt(known, node, keywords) &&
          plain.every((name) => this.equal.haveEqual(known, node, name)),
      );
      return isKnown ? [] : [differs(pointer, present)];
    });
  }

  private checkAnyOf(accepted: Conjunction, node: SchemaNode, pointer: string): SchemaBreak[] {
    const branches = childrenOf(node, 'anyOf');
    if (branches.length === 0) return [];
    const at = childPointer(pointer, 'anyOf');
    const isIncluded = branches.some(
      (branch) => this.check(accepted, flatten(branch.node), at).length === 0,
    );
    return isIncluded ? [] : [{ pointer: at, accepts: 'data that matches no branch' }];
  }

  private checkOneOf(accepted: Conjunction, node: SchemaNode, pointer: string): SchemaBreak[] {
    const branches = childrenOf(node, 'oneOf');
    if (branches.length === 0) return [];
    if (accepted.some((known) => this.equal.areEqualAt(known, node, ['oneOf']))) return [];
    const at = childPointer(pointer, 'oneOf');
    const isIncluded = branches.some((branch) => {
      const own = flatten(branch.node);
      if (this.check(accepted, own, at).length > 0) return false;
      return branches.every(
        (other) =>
          other === branch || areDisjoint([...accepted, ...own], flatten(other.node), this.matches),
      );
    });
    return isIncluded
      ? []
      : [{ pointer: at, accepts: 'data that does not match exactly one branch' }];
  }

  private checkObject(accepted: Conjunction, node: SchemaNode, pointer: string): SchemaBreak[] {
    const known = new Set(
      accepted.flatMap((one) => (keywordOf(one, 'required') ?? []) as string[]),
    );
    const needed = (keywordOf(node, 'required') ?? []) as string[];
    const breaks: SchemaBreak[] = needed
      .filter((name) => !known.has(name))
      .map((name) => ({
        pointer: childPointer(pointer, 'required'),
        accepts: `data without ${show(name)}`,
      }));
    for (const name of propertyNames([...accepted, node])) {
      const own = schemasOfProperty([node], name, this.matches);
      const at = childPointer(childPointer(pointer, 'properties'), name);
      const found = this.check(schemasOfProperty(accepted, name, this.matches), own, at);
      const isForbidden = own.some(({ schema }) => schema === false) && found.length > 0;
      breaks.push(
        ...(isForbidden ? [{ pointer: at, accepts: `the property ${show(name)}` }] : found),
      );
    }
    breaks.push(...this.checkPatterns(accepted, node, pointer));
    return [...breaks, ...this.checkOthers(accepted, node, pointer)];
  }

  /** A pattern of properties must be on the other side too, unless no other property may exist. */
  private checkPatterns(accepted: Conjunction, node: SchemaNode, pointer: string): SchemaBreak[] {
    const parent = childPointer(pointer, 'patternProperties');
    return childrenOf(node, 'patternProperties').flatMap(({ key, node: own }) => {
      const same = accepted.flatMap((one) =>
        childrenOf(one, 'patternProperties').filter((child) => child.key === key),
      );
      const at = childPointer(parent, String(key));
      const all = same.flatMap((child) => flatten(child.node));
      if (same.length === 0 && isClosed(accepted)) return [];
      return this.check(all, flatten(own), at);
    });
  }

  private checkOthers(accepted: Conjunction, node: SchemaNode, pointer: string): SchemaBreak[] {
    const keyword = restKeyword(node, 'Properties');
    if (keyword === undefined) return this.checkUnevaluated(accepted, node, pointer, 'Properties');
    const at = childPointer(pointer, keyword);
    const own = schemasOfOthers([node], 'Properties');
    const found = this.check(schemasOfOthers(accepted, 'Properties'), own, at);
    // Properties that match a pattern are not among the others on the accepted side.
    const patterns = accepted.flatMap((one) => childrenOf(one, 'patternProperties'));
    const ofNode = new Set(childrenOf(node, 'patternProperties').map(({ key }) => key));
    for (const child of patterns) {
      if (ofNode.has(child.key)) continue;
      found.push(...this.check(flatten(child.node), own, at));
    }
    const isForbidden = own.some(({ schema }) => schema === false) && found.length > 0;
    return isForbidden ? [{ pointer: at, accepts: 'other properties' }] : found;
  }

  private checkArray(accepted: Conjunction, node: SchemaNode, pointer: string): SchemaBreak[] {
    const breaks: SchemaBreak[] = [];
    const length = prefixLength([...accepted, node]);
    for (let index = 0; index < length; index++) {
      const at = childPointer(childPointer(pointer, 'prefixItems'), index);
      const own = schemasOfItem([node], index);
      breaks.push(...this.check(schemasOfItem(accepted, index), own, at));
    }
    const keyword = restKeyword(node, 'Items');
    if (keyword === undefined) {
      return [...breaks, ...this.checkUnevaluated(accepted, node, pointer, 'Items')];
    }
    const own = schemasOfOthers([node], 'Items');
    const at = childPointer(pointer, keyword);
    return [...breaks, ...this.check(schemasOfOthers(accepted, 'Items'), own, at)];
  }

  /** The unevaluated parts depend on the rest of the schema: all of it must be equal. */
  private checkUnevaluated(
    accepted: Conjunction,
    node: SchemaNode,
    pointer: string,
    of: 'Properties' | 'Items',
  ): SchemaBreak[] {
    const keyword = `unevaluated${of}`;
    if (keywordOf(node, keyword) === undefined) return [];
    const isKnown = accepted.some((known) => this.equal.areEqual(known, node));
    return isKnown ? [] : [differs(pointer, keyword)];
  }

  private readonly matches = (pattern: string, name: string): boolean => {
    let compiled = this.patterns.get(pattern);
    if (compiled === undefined) {
      compiled = compilePattern(pattern);
      this.patterns.set(pattern, compiled);
    }
    this.take(1 + Math.ceil(name.length / 64));
    return compiled.test(name, newRegexBudget());
  };

  private idOf(nodes: Conjunction): string {
    const ids = nodes.map((node) => {
      const id = this.ids.get(node) ?? this.ids.size;
      this.ids.set(node, id);
      return id;
    });
    return [...new Set(ids)].sort((a, b) => a - b).join(',');
  }

  private take(steps: number): void {
    this.stepsLeft -= steps;
    if (this.stepsLeft < 0) throw new TooComplex();
  }
}

/** The alternatives of a schema: `anyOf`, else `oneOf`. */
function branchesOf(node: SchemaNode): SchemaNode[] {
  const anyOf = childrenOf(node, 'anyOf');
  return (anyOf.length > 0 ? anyOf : childrenOf(node, 'oneOf')).map((child) => child.node);
}

/** The schema without the alternatives that `branchesOf` returns. */
function withoutBranches(node: SchemaNode): SchemaNode {
  const keyword = childrenOf(node, 'anyOf').length > 0 ? 'anyOf' : 'oneOf';
  const children = node.children.filter((child: SchemaChild) => child.keyword !== keyword);
  return { ...node, children };
}

/** Whether no property may exist but those that some schema names. */
function isClosed(nodes: Conjunction): boolean {
  return nodes.some(
    (node) =>
      childrenOf(node, 'patternProperties').length === 0 &&
      schemasOfOthers([node], 'Properties').some(({ schema }) => schema === false),
  );
}

function differs(pointer: string, keyword: string): SchemaBreak {
  return { pointer: childPointer(pointer, keyword), accepts: 'data that cannot be compared' };
}
