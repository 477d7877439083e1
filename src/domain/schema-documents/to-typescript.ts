/** Generates TypeScript types for the data of event types (CT-4). */
import { buildSchemaGraph, type SchemaNode } from '../json-schema/schema-graph.ts';
import type { WrittenType } from './write-document.ts';

/** Returns a module with a type for each schema, and `EventData`, which maps names to them. */
export function toTypeScript(types: readonly WrittenType[]): string {
  const writer = new TypeWriter();
  const members = types.map((type) => {
    const text = type.schema === null ? 'unknown' : writer.nameRoot(type);
    const tag = type.deprecated ? '  /** @deprecated */\n' : '';
    return `${tag}  ${JSON.stringify(type.name)}: ${text};`;
  });
  const map = `/** The data of events, by event type. */\nexport interface EventData {\n${members.join('\n')}\n}`;
  const event =
    '/** The body of a webhook in the format `standard`. */\n' +
    'export type WebhookEvent = {\n' +
    '  [Type in keyof EventData]: { type: Type; timestamp: string; data: EventData[Type] };\n' +
    '}[keyof EventData];';
  return [...writer.declarations(), map, event].join('\n\n') + '\n';
}

class TypeWriter {
  /** Declared types: roots, and targets of references. */
  private readonly names = new Map<SchemaNode, string>();
  private readonly taken = new Set(['EventData', 'WebhookEvent']);
  private readonly texts: string[] = [];

  nameRoot({ name, schema, description }: WrittenType): string {
    const { root } = buildSchemaGraph(schema as Record<string, unknown>);
    return this.addType(root, name, description);
  }

  declarations(): string[] {
    return this.texts;
  }

  private addType(node: SchemaNode, wish: string, description: string | null): string {
    const known = this.names.get(node);
    if (known !== undefined) return known;
    const name = this.freeName(wish);
    this.names.set(node, name);
    const at = this.texts.push('') - 1;
    const note = description === null ? '' : `/** ${comment(description)} */\n`;
    this.texts[at] = `${note}export type ${name} = ${this.typeOf(node)};`;
    return name;
  }

  private typeOf(node: SchemaNode): string {
    const { schema } = node;
    if (schema === true) return 'unknown';
    if (schema === false) return 'never';
    const parts = node.references.map(({ target }) => this.addType(target, lastName(target), null));
    for (const keyword of ['anyOf', 'oneOf']) {
      const branches = this.childrenOf(node, keyword);
      if (branches.length > 0) parts.push(union(branches.map((one) => this.typeOf(one))));
    }
    parts.push(...this.childrenOf(node, 'allOf').map((one) => this.typeOf(one)));
    const own = this.ownType(node, schema);
    if (own !== 'unknown') parts.push(own);
    const useful = parts.filter((part) => part !== 'unknown');
    return useful.length === 0 ? 'unknown' : join(useful, '&');
  }

  private ownType(node: SchemaNode, schema: Record<string, unknown>): string {
    if (Object.hasOwn(schema, 'const')) return literal(schema['const']);
    if (Array.isArray(schema['enum'])) return union(schema['enum'].map(literal));
    const type = schema['type'];
    if (type === undefined) {
      return node.children.some(({ keyword }) => keyword === 'properties')
        ? this.objectType(node, schema)
        : 'unknown';
    }
    const kinds = (Array.isArray(type) ? type : [type]) as string[];
    return union(kinds.map((kind) => this.kindType(kind, node, schema)));
  }

  private kindType(kind: string, node: SchemaNode, schema: Record<string, unknown>): string {
    if (kind === 'object') return this.objectType(node, schema);
    if (kind === 'array') return this.arrayType(node);
    return kind === 'integer' ? 'number' : kind;
  }

  private objectType(node: SchemaNode, schema: Record<string, unknown>): string {
    const required = new Set((schema['required'] ?? []) as string[]);
    const members = node.children
      .filter(({ keyword }) => keyword === 'properties')
      .map(({ key, node: child }) => {
        const name = String(key);
        return `${JSON.stringify(name)}${required.has(name) ? '' : '?'}: ${this.typeOf(child)};`;
      });
    const [rest] = this.childrenOf(node, 'additionalProperties');
    if (rest?.schema !== false) {
      const restType = members.length === 0 && rest !== undefined ? this.typeOf(rest) : 'unknown';
      members.push(`[name: string]: ${restType};`);
    }
    return members.length === 0 ? 'Record<string, never>' : `{ ${members.join(' ')} }`;
  }

  private arrayType(node: SchemaNode): string {
    const prefix = this.childrenOf(node, 'prefixItems').map(
      (one) => `${inParentheses(this.typeOf(one))}?`,
    );
    const [items] = this.childrenOf(node, 'items');
    const item = items === undefined ? 'unknown' : this.typeOf(items);
    if (prefix.length === 0) return `${inParentheses(item)}[]`;
    const rest = item === 'never' ? [] : [`...${inParentheses(item)}[]`];
    return `[${[...prefix, ...rest].join(', ')}]`;
  }

  private childrenOf(node: SchemaNode, keyword: string): SchemaNode[] {
    return node.children.filter((child) => child.keyword === keyword).map((child) => child.node);
  }

  private freeName(wish: string): string {
    const words = wish.split(/[^\p{L}\p{N}]+/u).filter((word) => word !== '');
    const joined = words.map((word) => word[0]?.toUpperCase() + word.slice(1)).join('');
    const base = /^[\p{L}_]/u.test(joined) ? joined : `Type${joined}`;
    let name = base;
    for (let n = 2; this.taken.has(name); n++) name = `${base}${n}`;
    this.taken.add(name);
    return name;
  }
}

function lastName({ pointer }: SchemaNode): string {
  return pointer.slice(pointer.lastIndexOf('/') + 1) || 'Data';
}

function union(types: readonly string[]): string {
  const distinct = [...new Set(types)];
  if (distinct.includes('unknown')) return 'unknown';
  return distinct.length === 0 ? 'never' : join(distinct, '|');
}

/** The type of one value; objects and lists by their members. */
function literal(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(literal).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(
    ([key, part]) => `${JSON.stringify(key)}: ${literal(part)};`,
  );
  return members.length === 0 ? 'Record<string, never>' : `{ ${members.join(' ')} }`;
}

/** Joins types; one alone needs no parentheses. */
function join(types: readonly string[], operator: '|' | '&'): string {
  const [only] = types;
  if (types.length === 1 && only !== undefined) return only;
  return types.map(inParentheses).join(` ${operator} `);
}

/** Adds parentheses to a union or an intersection. */
function inParentheses(type: string): string {
  const outside = type.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""');
  let depth = 0;
  for (const character of outside) {
    if ('{[('.includes(character)) depth++;
    else if ('}])'.includes(character)) depth--;
    else if (depth === 0 && '|&'.includes(character)) return `(${type})`;
  }
  return type;
}

/** A description must not end the comment. */
function comment(text: string): string {
  return text.replaceAll('*/', '*\\/').replaceAll(/\s+/g, ' ');
}
