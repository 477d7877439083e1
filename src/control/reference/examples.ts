import type { TSchema } from 'typebox';

interface Described {
  examples?: readonly unknown[];
  default?: unknown;
  const?: unknown;
  enum?: readonly unknown[];
  type?: string;
  format?: string;
  anyOf?: TSchema[];
  oneOf?: TSchema[];
  properties?: Record<string, TSchema>;
  items?: TSchema;
}

/**
 * Returns an example of a schema: its own, or one assembled from its parts. Undefined if there is
 * none: a test rejects such a document, but a process starts with it.
 */
export function exampleOf(schema: TSchema): unknown {
  const described = schema as Described;
  const { examples, anyOf, oneOf, properties, items } = described;
  const [first] = anyOf ?? oneOf ?? [];
  if (examples !== undefined) return examples[0];
  if (described.default !== undefined) return described.default;
  if (described.const !== undefined) return described.const;
  if (described.enum !== undefined) return described.enum[0];
  if (described.type === 'null') return null;
  if (first !== undefined) return exampleOf(first);
  if (properties !== undefined) {
    const members = Object.entries(properties).map(([name, property]) => [
      name,
      exampleOf(property),
    ]);
    return Object.fromEntries(members) as object;
  }
  if (items !== undefined) return [exampleOf(items)];
  return undefined;
}
