/** Finds texts without which no data passes a filter, so that MongoDB can leave events out. */
import { isOperatorObject, isPlainObject } from '#domain/filter/operators.ts';

/** Returns a pattern that matches exactly this text. */
export function literalPattern(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`);
}

/**
 * Builds a condition that every event meets that passes the filter. A string that the filter
 * compares for equality is in the JSON text as it is, unless the text has escapes.
 *
 * @returns undefined if the filter requires no such string
 */
export function requiredTexts(filter: Record<string, unknown>): object | undefined {
  const texts = stringsOf(filter)
    .map((value) => JSON.stringify(value))
    // A string that needs an escape has several forms.
    .filter((json) => !json.includes('\\'));
  if (texts.length === 0) return undefined;
  const all = texts.map((json) => ({ data: { $regex: literalPattern(json) } }));
  return { $or: [{ $and: all }, { data: { $regex: String.raw`\\` } }, { kind: 'text' }] };
}

/** Returns the strings that fields of the data must have. */
function stringsOf(filter: Record<string, unknown>): string[] {
  return Object.entries(filter).flatMap(([field, condition]) => {
    if (field === '$and') {
      return Array.isArray(condition) ? condition.filter(isPlainObject).flatMap(stringsOf) : [];
    }
    if (field !== 'data' && !field.startsWith('data.')) return [];
    const value = isOperatorObject(condition) ? condition['$eq'] : condition;
    return typeof value === 'string' ? [value] : [];
  });
}
