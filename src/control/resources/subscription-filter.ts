import { PosthornError } from '#domain/errors.ts';
import { validateFilter } from '#domain/filter/validate-filter.ts';

/**
 * Checks a content filter in a request body.
 *
 * @returns its JSON text, as it is stored; null if there is none
 * @throws PosthornError POSTHORN_FILTER_INVALID with pointers below `/filter`
 */
export function checkFilter(filter: Record<string, unknown> | null | undefined): string | null {
  if (filter === null || filter === undefined) return null;
  const fields = validateFilter(filter).map(({ pointer, detail }) => ({
    pointer: `/filter${pointer}`,
    detail,
  }));
  const [first] = fields;
  if (first === undefined) return JSON.stringify(filter);
  throw new PosthornError('POSTHORN_FILTER_INVALID', {
    detail: `${first.pointer} ${first.detail}`,
    fields,
  });
}
