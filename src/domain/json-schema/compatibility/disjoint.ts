import { equalToOneOf } from '../keywords/equal-values.ts';
import {
  type Conjunction,
  keywordOf,
  kindsOf,
  type MatchesName,
  schemasOfProperty,
  valuesOf,
} from './flat-schemas.ts';

/**
 * Whether no value can match both: by their kinds, their listed values, or those of a property that
 * all data of one side has (a discriminator). False also if it cannot be decided so.
 */
export function areDisjoint(one: Conjunction, other: Conjunction, matches: MatchesName): boolean {
  if (haveNoKindInCommon(one, other) || haveNoValueInCommon(one, other)) return true;
  const kinds = kindsOf(one);
  if (kinds.size !== 1 || !kinds.has('object')) return false;
  const names = new Set(one.flatMap((node) => (keywordOf(node, 'required') ?? []) as string[]));
  return [...names].some((name) => {
    const [a, b] = [schemasOfProperty(one, name, matches), schemasOfProperty(other, name, matches)];
    return haveNoKindInCommon(a, b) || haveNoValueInCommon(a, b);
  });
}

function haveNoKindInCommon(one: Conjunction, other: Conjunction): boolean {
  const kinds = kindsOf(other);
  return [...kindsOf(one)].every((kind) => !kinds.has(kind));
}

function haveNoValueInCommon(one: Conjunction, other: Conjunction): boolean {
  const [a, b] = [valuesOf(one), valuesOf(other)];
  if (a === undefined || b === undefined) return false;
  return !a.some(equalToOneOf(b, () => undefined));
}
