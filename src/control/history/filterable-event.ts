import type { EventDocument } from '#infra/mongo/documents.ts';
import type { FilterableEvent } from '#wire/published/event-for-filter.ts';

/**
 * An event of the history in the form that filters are given.
 *
 * @param data undefined if no filter reads it, or none may read it
 */
export function filterableEvent(
  event: EventDocument,
  data: string | Buffer | undefined,
): FilterableEvent {
  const { id, producer_id: producerId, subject, ext, no_data: noData } = event;
  // A document that is an event has these; one that is only a claim is not read here.
  const { type = '', source = '', time = '', kind = 'binary' } = event;
  return {
    head: {
      id,
      type,
      source,
      time,
      kind,
      ...(producerId === undefined ? {} : { producerId }),
      ...(subject === undefined ? {} : { subject }),
      ...(ext === undefined ? {} : { ext }),
      ...(noData === undefined ? {} : { noData }),
    },
    data,
  };
}
