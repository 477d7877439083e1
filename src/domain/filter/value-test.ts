import { compileBoundedRegex, type RegexBudget } from '../bounds/bounded-regex.ts';
import { limits } from '#domain/limits.ts';
import {
  type ComparisonBudget,
  compareStrings,
  compareValues,
  rankOf,
  typeRank,
} from './compare-values.ts';
import type { ValueTest } from './field-path.ts';

/** Equality as in MongoDB: null equals missing, objects have the same fields in the same order. */
export function equalTest(literal: unknown, budget: ComparisonBudget): ValueTest {
  if (literal === null) return isNullOrMissing;
  if (typeof literal !== 'object') return (value) => value === literal;
  const rank = rankOf(literal);
  return (value) =>
    rankOf(value) === rank &&
    budget.comparisonsLeft > 0 &&
    compareValues(value, literal, budget) === 0;
}

/** `$in`: equal to a value of the list; null also matches a missing field. */
export function inTest(list: readonly unknown[], budget: ComparisonBudget): ValueTest {
  const scalars = new Set(list.filter((item) => typeof item !== 'object'));
  const compound = list
    .filter((item) => typeof item === 'object' && item !== null)
    .map((item) => equalTest(item, budget));
  const nullToo = list.includes(null);
  return (value) => {
    if (value === null || value === undefined) return nullToo;
    if (typeof value !== 'object') return scalars.has(value);
    budget.comparisonsLeft -= compound.length;
    return compound.some((test) => test(value));
  };
}

export type OrderOperator = '$gt' | '$gte' | '$lt' | '$lte';

/** Compares within the literal's type only (type bracketing): a string is never above a number. */
export function orderTest(
  operator: OrderOperator,
  literal: unknown,
  budget: ComparisonBudget,
): ValueTest {
  if (literal === null) {
    return operator === '$gte' || operator === '$lte' ? isNullOrMissing : () => false;
  }
  if (typeof literal === 'number') return numberOrderTest(operator, literal);
  const rank = rankOf(literal);
  const compare =
    rank === typeRank.string
      ? (value: unknown) => compareStrings(value as string, literal as string)
      : // Without budget it is neither above nor below.
        (value: unknown) =>
          budget.comparisonsLeft > 0 ? compareValues(value, literal, budget) : Number.NaN;
  switch (operator) {
    case '$gt':
      return (value) => rankOf(value) === rank && compare(value) > 0;
    case '$gte':
      return (value) => rankOf(value) === rank && compare(value) >= 0;
    case '$lt':
      return (value) => rankOf(value) === rank && compare(value) < 0;
    case '$lte':
      return (value) => rankOf(value) === rank && compare(value) <= 0;
  }
}

function numberOrderTest(operator: OrderOperator, literal: number): ValueTest {
  switch (operator) {
    case '$gt':
      return (value) => typeof value === 'number' && value > literal;
    case '$gte':
      return (value) => typeof value === 'number' && value >= literal;
    case '$lt':
      return (value) => typeof value === 'number' && value < literal;
    case '$lte':
      return (value) => typeof value === 'number' && value <= literal;
  }
}

/**
 * A string over `limits.filterRegexInputLengthMax` does not match: cut short it could match
 * wrongly.
 */
export function regexTest(pattern: string, options: string, budget: RegexBudget): ValueTest {
  const regex = compileBoundedRegex(pattern, {
    ignoreCase: options.includes('i'),
    multiline: options.includes('m'),
    dotAll: options.includes('s'),
  });
  return (value) =>
    typeof value === 'string' &&
    value.length <= limits.filterRegexInputLengthMax &&
    regex.test(value, budget);
}

/** `$exists`: null counts as present. */
export function existsTest(value: unknown): boolean {
  return value !== undefined;
}

function isNullOrMissing(value: unknown): boolean {
  return value === null || value === undefined;
}
