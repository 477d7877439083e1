/**
 * Builds the condition that a field has one of the values; empty if no values are given, because a
 * list without a filter shows everything.
 */
export function anyOf(field: string, values: readonly unknown[] | undefined): object {
  if (values === undefined) return {};
  return { [field]: values.length === 1 ? values[0] : { $in: values } };
}
