import type { RegexBudget } from '../bounds/bounded-regex.ts';
import { limits } from '#domain/limits.ts';
import type { ComparisonBudget } from './compare-values.ts';
import { type FieldPath, parsePath, someValue, type ValueTest } from './field-path.ts';
import { isOperatorObject } from './operators.ts';
import { equalTest, existsTest, inTest, orderTest, regexTest } from './value-test.ts';

/**
 * Whether an event passes the filter. Never throws.
 *
 * @param event as filters see it
 * @param work is increased by the work done
 */
export type CompiledFilter = (event: Record<string, unknown>, work?: FilterWork) => boolean;

/** Steps: regex instructions times characters, list elements, comparisons; 2 to 16 ns each. */
export interface FilterWork {
  steps: number;
}

interface FilterBudget extends RegexBudget, ComparisonBudget {}

type DocumentTest = (document: object) => boolean;

/**
 * A condition on one field, before its use is known: on a path (any of the values there), or on one
 * value in `$elemMatch`. Negations such as `$ne` mean "not any", so they hold a list to negate.
 */
type Condition = { test: ValueTest; intoLeaf: boolean } | { not: Condition[] };

/**
 * Compiles a filter that `validateFilter` has accepted to closures, once, for many events (RT-1).
 * It matches the same documents as MongoDB's `find`
 * (https://www.mongodb.com/docs/manual/reference/operator/query/), except on purpose as follows.
 *
 * `$regex` has the syntax and the meaning of RE2, not of PCRE: no back-references and look-arounds.
 * `$` matches only at the very end of the text, not before a last line feed.
 *
 * A string does not match a `$regex` if it has over `limits.filterRegexInputLengthMax` characters,
 * or if the budget of the evaluation (`limits.regexStepsMax`) does not suffice for it. An array
 * that is skipped for lack of budget (`limits.filterComparisonsMax`) meets no condition.
 *
 * Numbers are JSON numbers of JavaScript: 64-bit floats; integers over 2^53 are rounded. Fields of
 * an object are in JavaScript's order: names that are whole numbers come first.
 *
 * @throws Error if `validateFilter` does not accept the filter
 */
export function compileFilter(filter: Record<string, unknown>): CompiledFilter {
  const { regexStepsMax, filterComparisonsMax } = limits;
  const budget: FilterBudget = { stepsLeft: 0, comparisonsLeft: 0 };
  const test = compileDocument(filter, budget);
  return (event, work) => {
    budget.stepsLeft = regexStepsMax;
    budget.comparisonsLeft = filterComparisonsMax;
    const passes = test(event);
    if (work !== undefined) {
      work.steps += regexStepsMax - Math.max(0, budget.stepsLeft);
      work.steps += filterComparisonsMax - Math.max(0, budget.comparisonsLeft);
    }
    return passes;
  };
}

function compileDocument(filter: Record<string, unknown>, budget: FilterBudget): DocumentTest {
  return all(
    Object.entries(filter).map(([key, value]) => {
      if (!key.startsWith('$')) return compileField(key, value, budget);
      const parts = (value as Record<string, unknown>[]).map((part) =>
        compileDocument(part, budget),
      );
      switch (key) {
        case '$and':
          return all(parts);
        case '$or':
          return any(parts);
        case '$nor':
          return none(parts);
        default:
          throw new Error(`"${key}" is not an operator that is allowed there`);
      }
    }),
  );
}

function compileField(path: string, condition: unknown, budget: FilterBudget): DocumentTest {
  const segments = parsePath(path);
  const conditions = isOperatorObject(condition)
    ? compileOperators(condition, budget)
    : [{ test: equalTest(condition, budget), intoLeaf: true }];
  return all(conditions.map((each) => onPath(segments, each, budget)));
}

function compileOperators(operators: Record<string, unknown>, budget: FilterBudget): Condition[] {
  const conditions: Condition[] = [];
  for (const [operator, operand] of Object.entries(operators)) {
    // `$options` is read with its `$regex`.
    if (operator === '$options') continue;
    const options = operators['$options'];
    conditions.push(
      compileOperator(operator, operand, typeof options === 'string' ? options : '', budget),
    );
  }
  return conditions;
}

function compileOperator(
  operator: string,
  operand: unknown,
  options: string,
  budget: FilterBudget,
): Condition {
  switch (operator) {
    case '$eq':
      return anyOf(equalTest(operand, budget));
    case '$ne':
      return { not: [anyOf(equalTest(operand, budget))] };
    case '$gt':
    case '$gte':
    case '$lt':
    case '$lte':
      return anyOf(orderTest(operator, operand, budget));
    case '$in':
      return anyOf(inTest(operand as unknown[], budget));
    case '$nin':
      return { not: [anyOf(inTest(operand as unknown[], budget))] };
    case '$exists':
      return operand === true ? anyOf(existsTest) : { not: [anyOf(existsTest)] };
    case '$regex':
      return anyOf(regexTest(operand as string, options, budget));
    case '$not':
      return { not: compileOperators(operand as Record<string, unknown>, budget) };
    case '$elemMatch':
      return {
        test: compileElemMatch(operand as Record<string, unknown>, budget),
        intoLeaf: false,
      };
    default:
      throw new Error(`"${operator}" is not an operator that is allowed there`);
  }
}

function anyOf(test: ValueTest): Condition {
  return { test, intoLeaf: true };
}

/**
 * Matches an array with an element that meets all conditions: operators test the element itself,
 * other keys its fields.
 */
function compileElemMatch(operand: Record<string, unknown>, budget: FilterBudget): ValueTest {
  if (isOperatorObject(operand)) {
    const tests = compileOperators(operand, budget).map(onValue);
    return (value) =>
      Array.isArray(value) &&
      suffices(budget, value, tests.length) &&
      value.some((element) => tests.every((test) => test(element)));
  }
  const test = compileDocument(operand, budget);
  return (value) =>
    Array.isArray(value) &&
    suffices(budget, value, 1) &&
    value.some((element) => typeof element === 'object' && element !== null && test(element));
}

function suffices(budget: FilterBudget, list: readonly unknown[], tests: number): boolean {
  budget.comparisonsLeft -= list.length * tests;
  return budget.comparisonsLeft >= 0;
}

function onPath(path: FieldPath, condition: Condition, budget: FilterBudget): DocumentTest {
  if ('not' in condition) {
    return negated(all(condition.not.map((each) => onPath(path, each, budget))));
  }
  const { test, intoLeaf } = condition;
  return (document) =>
    budget.comparisonsLeft-- > 0 && someValue(document, path, 0, intoLeaf, test, budget);
}

function onValue(condition: Condition): ValueTest {
  if (!('not' in condition)) return condition.test;
  const tests = condition.not.map(onValue);
  return (value) => !tests.every((test) => test(value));
}

function all(tests: DocumentTest[]): DocumentTest {
  const [first, second] = tests;
  if (first === undefined) return () => true;
  if (second === undefined) return first;
  if (tests.length === 2) return (document) => first(document) && second(document);
  return (document) => tests.every((test) => test(document));
}

function any(tests: DocumentTest[]): DocumentTest {
  return (document) => tests.some((test) => test(document));
}

function none(tests: DocumentTest[]): DocumentTest {
  return (document) => !tests.some((test) => test(document));
}

function negated(test: DocumentTest): DocumentTest {
  return (document) => !test(document);
}
