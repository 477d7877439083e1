import { _, Ajv2020, str, type ValidateFunction } from 'ajv/dist/2020.js';
import { limits } from '#domain/limits.ts';
import {
  type BoundedSchema,
  MEMBER_STEPS_KEYWORD,
  STEPS_KEYWORD,
  TEXT_STEPS_KEYWORD,
  UNEVALUATED_KEYWORD,
} from './bounded-copy.ts';
import { equalToOneOf, hasUniqueItems, type TakeSteps } from './keywords/equal-values.ts';
import { formats } from './keywords/formats.ts';
import { isMultipleOf } from './keywords/multiple-of.ts';
import { compilePattern } from './keywords/pattern.ts';
import type { SchemaNode } from './schema-graph.ts';
import { unevaluatedCheck } from './keywords/unevaluated.ts';
import type { WorkBudget } from './work-budget.ts';

/** The patterns of a schema exceed their bound. */
export class PatternsTooLarge extends Error {}

/** The key of the only schema in a validator. */
const SCHEMA = 'schema';

/**
 * Compiles a schema made by `boundedCopy`; its callbacks use `budget`. Each schema has its own Ajv,
 * as Ajv keeps compiled schemas, and those of tenants must stay separate.
 *
 * @param allErrors false: stops at the first error
 * @throws Error of Ajv, or PatternsTooLarge
 */
export function newValidator(
  bounded: BoundedSchema,
  budget: WorkBudget,
  { allErrors }: { allErrors: boolean },
): ValidateFunction {
  const ajv = new Ajv2020({
    allErrors,
    strict: false,
    logger: false,
    meta: false,
    validateSchema: false,
    addUsedSchema: false,
    // Inlined, each reference repeats its definition: 64 KiB of schema become 50 MB of code.
    inlineRefs: false,
    // Otherwise `constructor` is a field of every object.
    ownProperties: true,
    formats: { ...formats },
    // The optimiser gets slow with large schemas, and its code is no faster.
    code: { regExp: newRegexEngine(budget), optimize: false },
  });
  // `unevaluated…` keywords are ours, so Ajv need not generate code that tracks evaluation.
  ajv.opts.unevaluated = false;
  addStepKeywords(ajv, budget);
  replaceValueKeywords(ajv, (steps) => budget.take(steps));
  const partOf = (node: SchemaNode): ValidateFunction =>
    ajv.getSchema(`${SCHEMA}#/$defs/${bounded.numbers.get(node)}`) as ValidateFunction;
  addUnevaluatedKeyword(ajv, bounded, budget, { allErrors, partOf });
  ajv.addSchema(bounded.schema, SCHEMA);
  const validate = ajv.getSchema(SCHEMA) as ValidateFunction;
  // Compile now, so that a fault is found when the schema is stored, not at the first event.
  for (const node of bounded.verdicts) partOf(node);
  return validate;
}

function addUnevaluatedKeyword(
  ajv: Ajv2020,
  { unevaluated }: BoundedSchema,
  budget: WorkBudget,
  options: { allErrors: boolean; partOf: (node: SchemaNode) => ValidateFunction },
): void {
  const verdicts = new Map<SchemaNode, ValidateFunction>();
  const verdictOf = (node: SchemaNode): ValidateFunction => {
    let verdict = verdicts.get(node);
    if (verdict === undefined) verdicts.set(node, (verdict = options.partOf(node)));
    return verdict;
  };
  ajv.addKeyword({
    keyword: UNEVALUATED_KEYWORD,
    schemaType: 'number',
    type: ['object', 'array'],
    errors: 'full',
    compile: (at: number) =>
      unevaluatedCheck(unevaluated[at] as SchemaNode, {
        verdictOf,
        takeSteps: (steps) => budget.take(steps),
        regexBudget: () => budget.regexBudget,
        checkRegex: () => budget.checkRegex(),
        allErrors: options.allErrors,
      }),
  });
}

function replaceValueKeywords(ajv: Ajv2020, take: TakeSteps): void {
  for (const keyword of ['uniqueItems', 'enum', 'const', 'multipleOf']) ajv.removeKeyword(keyword);
  ajv.addKeyword({
    keyword: 'multipleOf',
    type: 'number',
    schemaType: 'number',
    error: { message: ({ schemaCode }) => str`must be a multiple of ${schemaCode}` },
    compile: (divisor: number) => (value: number) => isMultipleOf(value, divisor),
  });
  ajv.addKeyword({
    keyword: 'uniqueItems',
    type: 'array',
    schemaType: 'boolean',
    error: { message: 'must not have two equal items' },
    compile: (wanted: boolean) => (items: unknown[]) => !wanted || hasUniqueItems(items, take),
  });
  ajv.addKeyword({
    keyword: 'enum',
    schemaType: 'array',
    error: { message: 'must be listed', params: (cxt) => _`{allowed: ${cxt.schemaCode}}` },
    compile: (values: unknown[]) => equalToOneOf(values, take),
  });
  ajv.addKeyword({
    keyword: 'const',
    error: { message: 'must be the same', params: (cxt) => _`{allowed: ${cxt.schemaCode}}` },
    compile: (value: unknown) => equalToOneOf([value], take),
  });
}

/** Before all other keywords of their type, so that work is paid for before it is done. */
function addStepKeywords(ajv: Ajv2020, budget: WorkBudget): void {
  ajv.addKeyword({
    keyword: STEPS_KEYWORD,
    schemaType: 'number',
    before: '$dynamicAnchor',
    errors: false,
    compile: (size: number) => () => {
      budget.take(size);
      return true;
    },
  });
  ajv.addKeyword({
    keyword: MEMBER_STEPS_KEYWORD,
    type: 'object',
    schemaType: 'number',
    before: 'maxProperties',
    errors: false,
    compile: (each: number) => (data: object) => {
      budget.take(each * Object.keys(data).length);
      return true;
    },
  });
  ajv.addKeyword({
    keyword: TEXT_STEPS_KEYWORD,
    type: 'string',
    schemaType: 'number',
    before: 'maxLength',
    errors: false,
    compile: (each: number) => (data: string) => {
      budget.take(each * (data.length >> 4));
      return true;
    },
  });
}

function newRegexEngine(budget: WorkBudget) {
  let instructions = 0;
  const engine = (pattern: string) => {
    const regex = compilePattern(pattern);
    instructions += regex.instructions;
    if (instructions > limits.schemaRegexInstructionsMax) throw new PatternsTooLarge();
    return {
      test(text: string): boolean {
        const matches = regex.test(text, budget.regexBudget);
        budget.checkRegex();
        return matches;
      },
      // The validator distinguishes expressions by this text.
      toString: () => pattern,
    };
  };
  return Object.assign(engine, { code: 'new RegExp' });
}
