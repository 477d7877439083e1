/** Adds the data to a page of events (`include=data`). */
import { limits } from '#domain/limits.ts';
import type { EventDocument, History } from '#infra/mongo/documents.ts';
import type { EventListQuery } from '#wire/api/search/event-list.ts';
import type { ConfigView } from '#wire/config-snapshot.ts';
import type { FairSearches } from '../history/fair-searches.ts';
import { cursorBehind, type SearchPage } from './history-lists.ts';
import { eventJson } from './resources.ts';
import type { SearchScope } from './search-scope.ts';

export interface EventDataDeps {
  history: Pick<History, 'events'>;
  searches: FairSearches;
  config: Pick<ConfigView, 'eventType'>;
}

/** Events that are read by one query. */
const READ_AT_ONCE = 16;

/**
 * Returns the page as JSON text. It ends early once it has `limits.pageDataBytesMax` of data, and
 * has at least one event. An event that expired since is left out.
 */
export async function eventDataPage(
  { history, searches, config }: EventDataDeps,
  scope: SearchScope,
  query: EventListQuery,
  page: SearchPage<EventDocument>,
): Promise<string> {
  const items: string[] = [];
  let { next_cursor, partial } = page;
  let bytes = 0;
  const add = (event: EventDocument): boolean => {
    const json = eventJson(event, config.eventType(event.type ?? '')?.sensitive === true);
    items.push(json);
    bytes += json.length;
    return bytes < limits.pageDataBytesMax;
  };
  await searches.run(scope.owner, async () => {
    for (let at = 0; at < page.documents.length; at += READ_AT_ONCE) {
      const listed = page.documents.slice(at, at + READ_AT_ONCE);
      const ids = listed.map(({ _id }) => _id);
      const found = await history.events.find({ _id: { $in: ids } }).toArray();
      const byId = new Map(found.map((event) => [event._id, event]));
      for (const [i, { _id }] of listed.entries()) {
        const event = byId.get(_id);
        if (event === undefined || add(event) || at + i === page.documents.length - 1) continue;
        next_cursor = cursorBehind('events', scope, query, event);
        partial = null;
        return;
      }
    }
  });
  const tail = JSON.stringify({ next_cursor, partial });
  return `{"data":[${items.join(',')}],${tail.slice(1)}`;
}
