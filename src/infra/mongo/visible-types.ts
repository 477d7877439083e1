import type { VisibleTypes } from '#domain/event/visible-types.ts';

/**
 * Builds the condition that the type in `field` is visible; empty if all are. It says in MongoDB
 * what `isVisibleType` says of one type.
 */
export function ofVisible(field: string, visible: VisibleTypes): object {
  if (visible === undefined) return {};
  const names = visible.filter((selector) => !selector.endsWith('*'));
  const conditions: object[] = [{ [field]: { $in: names } }];
  for (const selector of visible) {
    if (selector === '*') conditions.push({ [field]: { $not: /^posthorn\./ } });
    else if (selector.endsWith('*')) {
      const prefix = selector.slice(0, -1);
      // The character after the dot ends the range of a prefix.
      conditions.push({ [field]: { $gte: prefix, $lt: `${prefix.slice(0, -1)}/` } });
    }
  }
  return { $or: conditions };
}
