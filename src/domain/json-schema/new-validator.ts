import { _, Ajv2020 } from 'ajv/dist/2020.js';
import { limits } from '#domain/limits.ts';
import { MEMBER_STEPS_KEYWORD, STEPS_KEYWORD, TEXT_STEPS_KEYWORD } from './bounded-copy.ts';
import { formats } from './formats.ts';
import { compilePattern } from './pattern.ts';
import { equalToOneOf, hasUniqueItems, type TakeSteps } from './equal-values.ts';
import type { WorkBudget } from './work-budget.ts';

/** The sum of sizes of a schema's patterns went over its bound. */
export class PatternsTooLarge extends Error {}

/**
 * A validator for one schema made by `boundedCopy`, whose callbacks draw on `budget`. One for each schema:
 * it keeps what it compiles, and one tenant's schema must not be seen by another's.
 *
 * @param allErrors false: stops at the first error and collects no more
 * @param unevaluated whether the schema asks for what no other keyword looked at
 */
export function newValidator(
  budget: WorkBudget,
  { allErrors, unevaluated }: { allErrors: boolean; unevaluated: boolean },
): Ajv2020 {
  const ajv = new Ajv2020({
    allErrors,
    strict: false,
    logger: false,
    meta: false,
    validateSchema: false,
    addUsedSchema: false,
    // An inlined definition is written out at each reference: 64 KiB of schema become 50 MB of code.
    inlineRefs: false,
    // Else `constructor` is a field of every object.
    ownProperties: true,
    // Else 19.99 is not a multiple of 0.01.
    multipleOfPrecision: 9,
    formats: { ...formats },
    // Its optimiser takes longer the larger the schema, and what it makes is not faster.
    code: { regExp: newRegexEngine(budget), optimize: false },
  });
  // Else it keeps account of what was looked at for schemas that never ask, and some of the code it makes
  // for that throws: `patternProperties` in an `if` or in branches of branches.
  ajv.opts.unevaluated = unevaluated;
  addStepKeywords(ajv, budget);
  replaceEqualityKeywords(ajv, (steps) => budget.take(steps));
  return ajv;
}

function replaceEqualityKeywords(ajv: Ajv2020, take: TakeSteps): void {
  for (const keyword of ['uniqueItems', 'enum', 'const']) ajv.removeKeyword(keyword);
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

/** In front of all others of their type, so that work is paid for before it is done. */
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
      // The validator tells expressions apart by this.
      toString: () => pattern,
    };
  };
  return Object.assign(engine, { code: 'new RegExp' });
}
