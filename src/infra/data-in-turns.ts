import type { DataFields } from '#domain/filter/needs-data.ts';
import { JsonFault } from '#domain/json/json-fault.ts';
import { type JsonNode, LEAF } from '#domain/json/json-outline.ts';
import type { JsonTurns } from './json-turns.ts';

const OPEN_BRACE = 123;

/**
 * Builds the value of large JSON `data` for filters, in turns with that of other tenants. Of an
 * object it builds only the members that filters read.
 *
 * @param owner the tenant
 * @throws SyntaxError
 */
export async function dataInTurns(
  turns: JsonTurns,
  owner: string,
  data: Buffer,
  fields: DataFields,
): Promise<unknown> {
  const members = fields === 'all' ? undefined : await findMembers(turns, owner, data, fields);
  if (members === undefined) return turns.build(owner, data);
  const values: [string, unknown][] = [];
  for (const [name, { start, end }] of members) {
    values.push([name, await turns.build(owner, data.subarray(start, end))]);
  }
  return Object.fromEntries(values);
}

/** Undefined if `data` is not an object or repeats a member. */
async function findMembers(
  turns: JsonTurns,
  owner: string,
  data: Buffer,
  fields: ReadonlySet<string>,
): Promise<Iterable<[string, JsonNode]> | undefined> {
  const named = new Map([...fields].map((field) => [field, LEAF]));
  try {
    const { start, children, repeated } = await turns.read(owner, data, { named });
    return data[start] !== OPEN_BRACE || repeated !== undefined ? undefined : children;
  } catch (error) {
    // Accepted before bounds on JSON existed.
    if (error instanceof JsonFault) return undefined;
    throw error;
  }
}
