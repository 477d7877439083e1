import { Ajv2020 } from 'ajv/dist/2020.js';
import { limits } from '#domain/limits.ts';
import { STEPS_KEYWORD } from './bounded-copy.ts';
import { formats } from './formats.ts';
import { compilePattern } from './pattern.ts';
import { hasUniqueItems } from './unique-items.ts';
import type { WorkBudget } from './work-budget.ts';

/** The sum of sizes of a schema's patterns went over its bound. */
export class PatternsTooLarge extends Error {}

/**
 * A validator for one schema made by `boundedCopy`, whose callbacks draw on `budget`. One for each schema:
 * it keeps what it compiles, and one tenant's schema must not be seen by another's.
 *
 * @param allErrors false: stops at the first error and collects no more
 */
export function newValidator(budget: WorkBudget, allErrors: boolean): Ajv2020 {
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
    code: { regExp: newRegexEngine(budget) },
  });
  ajv.addKeyword({
    keyword: STEPS_KEYWORD,
    schemaType: 'number',
    before: '$dynamicAnchor',
    errors: false,
    valid: true,
    compile: (size: number) => () => {
      budget.take(size);
      return true;
    },
  });
  ajv.removeKeyword('uniqueItems');
  ajv.addKeyword({
    keyword: 'uniqueItems',
    type: 'array',
    schemaType: 'boolean',
    error: { message: 'must not have two equal items' },
    validate: (wanted: boolean, items: unknown[]) =>
      !wanted || hasUniqueItems(items, (steps) => budget.take(steps)),
  });
  return ajv;
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
