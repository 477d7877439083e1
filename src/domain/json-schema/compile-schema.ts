import type { ValidateFunction } from 'ajv/dist/2020.js';
import { type FieldError, PosthornError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import { type BoundedSchema, boundedCopy } from './bounded-copy.ts';
import { checkBranches } from './check-branches.ts';
import { describeErrors } from './describe-error.ts';
import { isDeeperThan } from './json-bounds.ts';
import { newValidator } from './new-validator.ts';
import { buildSchemaGraph } from './schema-graph.ts';
import type { JsonObject } from './schema-tree.ts';
import { WorkBudget, WorkExceeded } from './work-budget.ts';

/** Returns the faults of an event's `data`; pointers start with `/data`. Never throws. */
export interface DataValidator {
  (data: unknown): FieldError[];
  /** The same within `limits.schemaStepsAtOnceMax`; undefined if that is too little. */
  atOnce: (data: unknown) => FieldError[] | undefined;
}

/**
 * Compiles a JSON Schema (2020-12) that `validateSchema` has accepted, once, for many events
 * (IN-5). Schema and data may both be hostile: the work for one event is bounded
 * (`limits.schemaStepsMax`), and data that exceeds it is rejected. The caller caches the result, as
 * compiling takes milliseconds.
 *
 * @throws PosthornError POSTHORN_SCHEMA_INVALID
 */
export function compileSchema(schema: JsonObject): DataValidator {
  const budget = new WorkBudget();
  const bounded = boundedSchema(schema);
  const first = compile(bounded, budget, { allErrors: false });
  let all: ValidateFunction | undefined;
  const check = (data: unknown, stepsMax: number): FieldError[] | undefined => {
    if (isDeeperThan(data, limits.dataDepthMax)) {
      const detail = `is nested too deep; ${limits.dataDepthMax} levels are allowed`;
      return [{ pointer: '/data', detail }];
    }
    const errors = run(first, data, budget, stepsMax);
    if (errors === undefined || errors.length === 0) return errors;
    // Only invalid data is checked for further errors, and only if there cannot be too many.
    all ??= compile(bounded, budget, { allErrors: true });
    const more = run(all, data, budget, limits.schemaStepsForAllErrorsMax) ?? [];
    return more.length > errors.length ? more : errors;
  };
  return Object.assign(
    (data: unknown) =>
      check(data, limits.schemaStepsMax) ?? [{ pointer: '/data', detail: TOO_LARGE }],
    { atOnce: (data: unknown) => check(data, limits.schemaStepsAtOnceMax) },
  );
}

const TOO_LARGE = 'is too large to be checked against the schema of its type';

function boundedSchema(schema: JsonObject): BoundedSchema {
  if (isDeeperThan(schema, limits.schemaDepthMax)) {
    throw new PosthornError('POSTHORN_SCHEMA_INVALID', { detail: 'The schema is nested too deep' });
  }
  const graph = buildSchemaGraph(schema);
  const errors = [...graph.errors, ...checkBranches(graph)];
  if (errors.length > 0) throw new PosthornError('POSTHORN_SCHEMA_INVALID', { fields: errors });
  return boundedCopy(graph);
}

function compile(
  bounded: BoundedSchema,
  budget: WorkBudget,
  options: { allErrors: boolean },
): ValidateFunction {
  try {
    return newValidator(bounded, budget, options);
  } catch (cause) {
    throw new PosthornError('POSTHORN_SCHEMA_INVALID', { detail: (cause as Error).message, cause });
  }
}

/** Undefined if the work exceeds the budget. */
function run(
  validate: ValidateFunction,
  data: unknown,
  budget: WorkBudget,
  steps: number,
): FieldError[] | undefined {
  budget.renew(steps, Math.max(steps, limits.schemaRegexStepsAtOnceMax));
  try {
    return validate(data) ? [] : describeErrors(validate.errors ?? [], '/data');
  } catch (error) {
    if (error instanceof WorkExceeded) return undefined;
    const why = (error as Error).message;
    const detail = `cannot be checked against the schema of its type: ${why}`;
    return [{ pointer: '/data', detail }];
  } finally {
    validate.errors = null;
  }
}
