/** Rules for the keywords that constrain a value by itself, without subschemas. */
import { compilePattern } from '../keywords/pattern.ts';
import { equalToOneOf } from '../keywords/equal-values.ts';
import { formats } from '../keywords/formats.ts';
import { isMultipleOf } from '../keywords/multiple-of.ts';
import type { SchemaNode } from '../schema-graph.ts';
import { newRegexBudget } from '../../bounds/bounded-regex.ts';
import {
  type Conjunction,
  type Kind,
  keywordOf,
  kindOf,
  kindsOf,
  kindsOfType,
  listedValues,
  numbersOf,
  valuesOf,
} from './flat-schemas.ts';

/** Returns data that the schemas accept and the keyword rejects; undefined: there is none. */
type ScalarRule = (accepted: Conjunction, node: SchemaNode) => string | undefined;

const NUMBERS: readonly Kind[] = ['integer', 'fraction'];

interface BoundRule {
  kinds: readonly Kind[];
  /** What exceeds the bound. */
  text: string;
  /** Whether a value is within the bound. */
  fits: (value: unknown, bound: number) => boolean;
  /** Whether the other schemas imply the bound. */
  isImplied: (accepted: Conjunction, bound: number) => boolean;
}

const bounds: Readonly<Record<string, BoundRule>> = {
  maximum: {
    kinds: NUMBERS,
    text: 'numbers above',
    fits: (value, bound) => (value as number) <= bound,
    isImplied: (accepted, bound) =>
      least(accepted, 'maximum') <= bound || least(accepted, 'exclusiveMaximum') <= bound,
  },
  exclusiveMaximum: {
    kinds: NUMBERS,
    text: 'numbers not below',
    fits: (value, bound) => (value as number) < bound,
    isImplied: (accepted, bound) =>
      least(accepted, 'maximum') < bound || least(accepted, 'exclusiveMaximum') <= bound,
  },
  minimum: {
    kinds: NUMBERS,
    text: 'numbers below',
    fits: (value, bound) => (value as number) >= bound,
    isImplied: (accepted, bound) =>
      most(accepted, 'minimum') >= bound || most(accepted, 'exclusiveMinimum') >= bound,
  },
  exclusiveMinimum: {
    kinds: NUMBERS,
    text: 'numbers not above',
    fits: (value, bound) => (value as number) > bound,
    isImplied: (accepted, bound) =>
      most(accepted, 'minimum') > bound || most(accepted, 'exclusiveMinimum') >= bound,
  },
  multipleOf: {
    kinds: NUMBERS,
    text: 'numbers that are no multiple of',
    fits: (value, bound) => isMultipleOf(value as number, bound),
    isImplied: (accepted, bound) =>
      [
        ...numbersOf(accepted, 'multipleOf'),
        ...(kindsOf(accepted).has('fraction') ? [] : [1]),
      ].some((known) => isMultipleOf(known, bound)),
  },
  maxLength: atMost('maxLength', 'string', 'texts longer than'),
  minLength: atLeast('minLength', 'string', 'texts shorter than'),
  maxItems: atMost('maxItems', 'array', 'lists longer than'),
  minItems: atLeast('minItems', 'array', 'lists shorter than'),
  maxProperties: atMost('maxProperties', 'object', 'objects with more properties than'),
  minProperties: atLeast('minProperties', 'object', 'objects with fewer properties than'),
};

const others: Readonly<Record<string, ScalarRule>> = {
  type(accepted, node) {
    const type = keywordOf(node, 'type');
    if (type === undefined) return undefined;
    const allowed = kindsOfType(type);
    const missing = [...kindsOf(accepted)].filter((kind) => !allowed.has(kind));
    return missing.length === 0 ? undefined : kindNames(missing);
  },
  enum(accepted, node) {
    const listed = listedValues(node);
    if (listed === undefined) return undefined;
    const isListed = equalToOneOf(listed, () => undefined);
    const kinds = kindsOf(accepted);
    const values = valuesOf(accepted) ?? (kinds.size === 0 ? [] : smallestValues(kinds));
    if (values === undefined) return 'values that are not listed';
    const missing = values.filter((value) => kinds.has(kindOf(value)) && !isListed(value));
    return missing.length === 0 ? undefined : missing.map(show).join(', ');
  },
  pattern(accepted, node) {
    const pattern = keywordOf(node, 'pattern');
    if (typeof pattern !== 'string' || !kindsOf(accepted).has('string')) return undefined;
    if (accepted.some((known) => keywordOf(known, 'pattern') === pattern)) return undefined;
    const matches = (text: unknown): boolean =>
      typeof text !== 'string' || compilePattern(pattern).test(text, newRegexBudget());
    if (valuesOf(accepted)?.every(matches)) return undefined;
    return `texts that do not match ${show(pattern)}`;
  },
  format(accepted, node) {
    const format = keywordOf(node, 'format');
    // Unknown formats are annotations.
    if (typeof format !== 'string' || !Object.hasOwn(formats, format)) return undefined;
    const kinds = kindsOf(accepted);
    if (!kinds.has('string') && !kinds.has('integer') && !kinds.has('fraction')) return undefined;
    if (accepted.some((known) => keywordOf(known, 'format') === format)) return undefined;
    return `values that do not have the format ${format}`;
  },
  uniqueItems(accepted, node) {
    if (keywordOf(node, 'uniqueItems') !== true || !kindsOf(accepted).has('array'))
      return undefined;
    const isKnown = accepted.some((known) => keywordOf(known, 'uniqueItems') === true);
    return isKnown ? undefined : 'lists with equal items';
  },
};

/** The rules by keyword. The rule of `enum` includes `const`. */
export const scalarRules: Readonly<Record<string, ScalarRule>> = {
  ...others,
  ...Object.fromEntries(
    Object.entries(bounds).map(([keyword, rule]) => [keyword, boundRule(keyword, rule)]),
  ),
};

function boundRule(keyword: string, { kinds, text, fits, isImplied }: BoundRule): ScalarRule {
  return (accepted, node) => {
    const bound = keywordOf(node, keyword);
    if (typeof bound !== 'number') return undefined;
    const possible = kindsOf(accepted);
    if (!kinds.some((kind) => possible.has(kind)) || isImplied(accepted, bound)) return undefined;
    const values = valuesOf(accepted);
    const areFit = values?.every((value) => !kinds.includes(kindOf(value)) || fits(value, bound));
    return areFit === true ? undefined : `${text} ${bound}`;
  };
}

function atMost(keyword: string, kind: Kind, text: string): BoundRule {
  return {
    kinds: [kind],
    text,
    fits: (value, bound) => sizeOf(value) <= bound,
    isImplied: (accepted, bound) => least(accepted, keyword) <= bound,
  };
}

function atLeast(keyword: string, kind: Kind, text: string): BoundRule {
  return {
    kinds: [kind],
    text,
    fits: (value, bound) => sizeOf(value) >= bound,
    isImplied: (accepted, bound) => bound === 0 || most(accepted, keyword) >= bound,
  };
}

/** Length of a text in characters, or number of items or properties. */
function sizeOf(value: unknown): number {
  if (typeof value === 'string') return Array.from(value).length;
  return Object.keys(value as object).length;
}

function least(accepted: Conjunction, keyword: string): number {
  return Math.min(...numbersOf(accepted, keyword));
}

function most(accepted: Conjunction, keyword: string): number {
  return Math.max(...numbersOf(accepted, keyword));
}

/** All values of the kinds; undefined: there are too many. */
function smallestValues(kinds: ReadonlySet<Kind>): unknown[] | undefined {
  const isSmall = [...kinds].every((kind) => kind === 'null' || kind === 'boolean');
  if (!isSmall) return undefined;
  return [...(kinds.has('null') ? [null] : []), ...(kinds.has('boolean') ? [true, false] : [])];
}

function kindNames(missing: readonly Kind[]): string {
  const isNumber = missing.includes('integer') && missing.includes('fraction');
  const names = missing.map((kind) => {
    if (kind === 'integer') return isNumber ? 'number' : 'integer';
    return kind === 'fraction' ? 'number with a fraction' : kind;
  });
  return names.filter((name) => !isNumber || name !== 'number with a fraction').join(', ');
}

const SHOWN_LENGTH_MAX = 100;

/** The JSON text of a value, shortened. */
export function show(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length <= SHOWN_LENGTH_MAX ? text : `${text.slice(0, SHOWN_LENGTH_MAX)}…`;
}
