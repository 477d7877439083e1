import type { DataFields } from '#domain/filter/needs-data.ts';
import { JsonFault } from '#domain/json/json-fault.ts';
import { type JsonNode, LEAF } from '#domain/json/json-outline.ts';
import type { JsonTurns } from './json-turns.ts';

const OPEN_BRACE = 123;

/**
 * Parses large JSON `data` for filters in slices, which alternate with slices of other tenants. If
 * `data` is an object, parses only the members that filters read.
 *
 * @param owner the tenant
 * @throws SyntaxError
 */
export async function parseDataInSlices(
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

/** Returns undefined if `data` is not an object or repeats a member: parse it whole. */
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
    // A version without these bounds accepted the event.
    if (error instanceof JsonFault) return undefined;
    throw error;
  }
}
