import { limits } from '#domain/limits.ts';
import { buildSchemaGraph } from '../schema-graph.ts';
import type { JsonObject } from '../schema-tree.ts';
import { flatten } from './flat-schemas.ts';
import { Inclusion, type SchemaBreak, TooComplex } from './inclusion.ts';

/**
 * Returns why data that `from` accepts may be rejected by `to` (CT-4). Without a break, `to`
 * accepts every value that `from` accepts. A reported break may be none: keywords that cannot be
 * compared (`not`, `if`, changed patterns) count as breaks.
 *
 * Bounds: `limits.schemaCompareStepsMax`; schemas beyond it are reported as too complex.
 * Both schemas are ones that `validateSchema` accepts.
 */
export function findBreaks(from: JsonObject, to: JsonObject): SchemaBreak[] {
  const inclusion = new Inclusion(limits.schemaCompareStepsMax);
  try {
    const [accepted, required] = [from, to].map((schema) => flatten(buildSchemaGraph(schema).root));
    return distinct(inclusion.check(accepted ?? [], required ?? [], ''));
  } catch (error) {
    if (!(error instanceof TooComplex)) throw error;
    return [{ pointer: '', accepts: 'data that takes too many steps to compare' }];
  }
}

/** Several parts of a schema may find the same break. */
function distinct(breaks: readonly SchemaBreak[]): SchemaBreak[] {
  return [...new Map(breaks.map((one) => [`${one.pointer} ${one.accepts}`, one])).values()];
}
