import type { FieldError } from '#domain/errors.ts';
import { childPointer } from '#domain/json-pointer.ts';
import { limits } from '#domain/limits.ts';
import type { Applies } from './keywords.ts';
import {
  type JsonObject,
  type SchemaPart,
  type SchemaResource,
  SchemaTree,
} from './schema-tree.ts';

/** One schema or subschema in one dynamic scope, with its references resolved. */
export interface SchemaNode {
  /** JSON pointer from the top of the document. */
  pointer: string;
  schema: JsonObject | boolean;
  children: SchemaChild[];
  /** Targets of `$ref` and `$dynamicRef`. */
  references: SchemaReference[];
}

export interface SchemaChild {
  keyword: string;
  /** Name or position inside the keyword's value; absent if the value itself is the schema. */
  key?: string | number;
  applies: Applies;
  node: SchemaNode;
}

export interface SchemaReference {
  pointer: string;
  target: SchemaNode;
}

export interface SchemaGraph {
  root: SchemaNode;
  nodes: SchemaNode[];
  errors: FieldError[];
}

/**
 * The resources entered so far, reduced to the part that `$dynamicRef` needs: for each name, the
 * anchor in the outermost resource that has it. Equal scopes are one object.
 */
interface DynamicScope {
  key: string;
  anchors: ReadonlyMap<string, SchemaPart>;
}

/**
 * Finds every subschema of a schema and resolves its references, so that readers of the graph need
 * no `$id`, anchors or dynamic scopes. References lead only to schemas of the same document:
 * nothing is fetched. A subschema reached in several dynamic scopes has a node for each;
 * `limits.schemaScopeCopiesMax` bounds these copies.
 *
 * @param schema of bounded depth (see `isDeeperThan`)
 */
export function buildSchemaGraph(schema: JsonObject): SchemaGraph {
  const tree = new SchemaTree(schema);
  const builder = new GraphBuilder(tree);
  return { root: builder.root, nodes: builder.nodes, errors: [...tree.errors, ...builder.errors] };
}

class GraphBuilder {
  readonly root: SchemaNode;
  readonly nodes: SchemaNode[] = [];
  readonly errors: FieldError[] = [];
  private readonly tree: SchemaTree;
  private readonly nodesMax: number;
  /** Anchor names in several resources: only these depend on the dynamic scope. */
  private readonly sharedNames: ReadonlySet<string>;
  private readonly scopes = new Map<string, DynamicScope>();
  private readonly built = new Map<DynamicScope, Map<SchemaPart, SchemaNode>>();
  private readonly pending: { node: SchemaNode; part: SchemaPart; scope: DynamicScope }[] = [];

  constructor(tree: SchemaTree) {
    this.tree = tree;
    this.nodesMax = tree.size + limits.schemaScopeCopiesMax;
    this.sharedNames = findSharedNames(tree);
    const outside = this.scopeOf(new Map());
    this.root = this.nodeOf(tree.root, this.enter(outside, tree.root.resource));
    for (const { node, part, scope } of this.pending) {
      if (this.nodes.length > this.nodesMax) break;
      this.resolveReferences(node, part, scope);
    }
    if (this.nodes.length > this.nodesMax) {
      const detail = 'has too many dynamic scopes: $dynamicRef would copy it too often';
      this.errors.push({ pointer: '', detail });
    }
  }

  private nodeOf(part: SchemaPart, scope: DynamicScope): SchemaNode {
    let inScope = this.built.get(scope);
    if (inScope === undefined) this.built.set(scope, (inScope = new Map()));
    const known = inScope.get(part);
    if (known !== undefined) return known;
    const { pointer, schema } = part;
    const node: SchemaNode = { pointer, schema, children: [], references: [] };
    inScope.set(part, node);
    this.nodes.push(node);
    this.pending.push({ node, part, scope });
    for (const { part: child, ...place } of part.children) {
      if (this.nodes.length > this.nodesMax) break;
      node.children.push({ ...place, node: this.nodeOf(child, this.enter(scope, child.resource)) });
    }
    return node;
  }

  private resolveReferences(node: SchemaNode, part: SchemaPart, scope: DynamicScope): void {
    if (typeof part.schema === 'boolean') return;
    for (const keyword of ['$ref', '$dynamicRef']) {
      const reference = Object.hasOwn(part.schema, keyword) ? part.schema[keyword] : undefined;
      if (typeof reference !== 'string') continue;
      const pointer = childPointer(part.pointer, keyword);
      const resolved = this.tree.resolve(reference, part);
      if (resolved === undefined) {
        this.errors.push({ pointer, detail: refusal(reference) });
        continue;
      }
      const { dynamicAnchor } = resolved;
      const isDynamic = keyword === '$dynamicRef' && dynamicAnchor !== undefined;
      const target = (isDynamic && scope.anchors.get(dynamicAnchor)) || resolved.part;
      const entered = this.enter(scope, target.resource);
      node.references.push({ pointer, target: this.nodeOf(target, entered) });
    }
  }

  private enter(scope: DynamicScope, resource: SchemaResource): DynamicScope {
    let anchors: Map<string, SchemaPart> | undefined;
    for (const [name, part] of resource.dynamicAnchors) {
      if (!this.sharedNames.has(name) || scope.anchors.has(name)) continue;
      anchors ??= new Map(scope.anchors);
      anchors.set(name, part);
    }
    return anchors === undefined ? scope : this.scopeOf(anchors);
  }

  private scopeOf(anchors: Map<string, SchemaPart>): DynamicScope {
    const names = [...anchors.keys()].toSorted();
    const key = JSON.stringify(names.map((name) => [name, anchors.get(name)?.pointer]));
    const known = this.scopes.get(key);
    if (known !== undefined) return known;
    const scope = { key, anchors };
    this.scopes.set(key, scope);
    return scope;
  }
}

function findSharedNames(tree: SchemaTree): Set<string> {
  const seen = new Set<string>();
  const shared = new Set<string>();
  for (const { dynamicAnchors } of tree.resources.values()) {
    for (const name of dynamicAnchors.keys()) (seen.has(name) ? shared : seen).add(name);
  }
  return shared;
}

function refusal(reference: string): string {
  return reference.startsWith('#')
    ? 'leads to no schema in this document'
    : 'must lead to a schema in this document, like "#/$defs/address": nothing is fetched';
}
