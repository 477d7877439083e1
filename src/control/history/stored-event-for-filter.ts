import type { EventDocument } from '#infra/mongo/documents.ts';

/**
 * Builds the event that filters see from a stored event (RT-1): the same as routers saw in the
 * stream, which a test compares.
 *
 * @param data as text; undefined if no filter reads it or none may see it. Filters do not see data
 * of kind `binary`.
 */
export function storedEventForFilter(
  event: EventDocument,
  data: string | undefined,
): Record<string, unknown> {
  const { ext, type, source, time, subject, kind } = event;
  const id = event.producer_id ?? event.id;
  const seen: Record<string, unknown> = { ...ext, id, type, source, time };
  if (subject !== undefined) seen['subject'] = subject;
  if (data === undefined || event.no_data === true) return seen;
  if (kind === 'json') seen['data'] = JSON.parse(data);
  else if (kind === 'text') seen['data'] = data;
  return seen;
}
