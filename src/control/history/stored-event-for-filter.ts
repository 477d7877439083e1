import type { EventDocument } from '#infra/mongo/documents.ts';

/**
 * An event of the history as filters see it (RT-1): as routers saw it in its stream, which a test compares.
 *
 * @param data as text; undefined where no filter looks at it, or none may see it. That of kind `binary` is not seen.
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
